package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
	accessv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/access/v1"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	systemv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/system/v1"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
)

// Lesson P79: a team leader could make or promote administrators.
func TestAManagerCanNeitherMakeNorBecomeNorTouchAnAdmin(t *testing.T) {
	f := serve(t)
	self := f.make("manager", accessv1.Role_MANAGER)
	agent := f.make("agent", accessv1.Role_AGENT_SUIVI)
	boss := f.login(adminEmail, adminPassword).GetUser()
	manager := f.with(f.login("manager@shop.dz", somePassword).GetAccessToken())
	admin := accessv1.Role_ADMIN

	_, err := f.CreateUser(manager, &identityv1.CreateUserRequest{
		Email: "friend@shop.dz", Name: "Friend", Role: admin, Password: somePassword,
	})
	refused(t, "make an admin", err, codes.PermissionDenied, "ROLE_NOT_ALLOWED")
	for what, id := range map[string]string{"promote himself": self.GetId(), "promote an agent": agent.GetId()} {
		_, err = f.UpdateUser(manager, &identityv1.UpdateUserRequest{UserId: id, Role: &admin})
		refused(t, what, err, codes.PermissionDenied, "ROLE_NOT_ALLOWED")
	}
	name := "Renamed"
	_, err = f.UpdateUser(manager, &identityv1.UpdateUserRequest{UserId: boss.GetId(), Name: &name})
	refused(t, "rename an admin", err, codes.PermissionDenied, "ROLE_NOT_ALLOWED")
	_, err = f.DisableUser(manager, &identityv1.DisableUserRequest{UserId: boss.GetId()})
	refused(t, "disable an admin", err, codes.PermissionDenied, "ROLE_NOT_ALLOWED")
	_, err = f.EnableUser(manager, &identityv1.EnableUserRequest{UserId: boss.GetId()})
	refused(t, "enable an admin", err, codes.PermissionDenied, "ROLE_NOT_ALLOWED")
	_, err = f.ResetPassword(manager, &identityv1.ResetPasswordRequest{UserId: boss.GetId(), NewPassword: "the manager's word"})
	refused(t, "reset an admin's password", err, codes.PermissionDenied, "ROLE_NOT_ALLOWED")
	f.login(adminEmail, adminPassword)

	if _, err := f.UpdateUser(manager, &identityv1.UpdateUserRequest{UserId: agent.GetId(), Name: &name}); err != nil {
		t.Errorf("rename an agent: %v", err)
	}
}

func TestTheLastAdminStays(t *testing.T) {
	f := serve(t)
	admin := f.admin()
	me := f.login(adminEmail, adminPassword).GetUser()
	manager := accessv1.Role_MANAGER
	_, err := f.UpdateUser(admin, &identityv1.UpdateUserRequest{UserId: me.GetId(), Role: &manager})
	refused(t, "step down", err, codes.FailedPrecondition, "LAST_ADMIN")
	_, err = f.DisableUser(admin, &identityv1.DisableUserRequest{UserId: me.GetId()})
	refused(t, "disable oneself", err, codes.FailedPrecondition, "LAST_ADMIN")
}

func TestTwoAdminsWhoDisableEachOtherAtOnceLeaveOne(t *testing.T) {
	f := serve(t)
	second := f.make("second", accessv1.Role_ADMIN)
	first := f.login(adminEmail, adminPassword)
	tokens := [2]string{first.GetAccessToken(), f.login("second@shop.dz", somePassword).GetAccessToken()}
	targets := [2]string{second.GetId(), first.GetUser().GetId()}
	var errs [2]error
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = f.DisableUser(f.with(tokens[i]), &identityv1.DisableUserRequest{UserId: targets[i]})
		})
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("%v and %v: one must go through and one be refused", errs[0], errs[1])
	}
}

func TestADisabledUserIsOutAndMayKnowWhy(t *testing.T) {
	f := serve(t)
	user := f.make("karim", accessv1.Role_AGENT_SUIVI)
	session := f.login("karim@shop.dz", somePassword)
	admin := f.admin()
	for range 2 { // the second changes nothing
		res, err := f.DisableUser(admin, &identityv1.DisableUserRequest{UserId: user.GetId(), Reason: "left the company"})
		if err != nil || !res.GetUser().GetDisabled() {
			t.Fatalf("disable: %v, %v", res, err)
		}
	}
	_, err := f.refresh(session.GetRefreshToken())
	refused(t, "refresh", err, codes.PermissionDenied, "USER_DISABLED")
	refused(t, "login", f.guess("karim@shop.dz", somePassword, office), codes.PermissionDenied, "USER_DISABLED")
	refused(t, "login with a wrong password", f.guess("karim@shop.dz", "wrong", office), codes.Unauthenticated, "INVALID_CREDENTIALS")

	if _, err := f.EnableUser(admin, &identityv1.EnableUserRequest{UserId: user.GetId()}); err != nil {
		t.Fatal(err)
	}
	_, err = f.refresh(session.GetRefreshToken())
	refused(t, "the session of before", err, codes.Unauthenticated, "REFRESH_TOKEN_INVALID")
	f.login("karim@shop.dz", somePassword)
}

// An access token is believed for fifteen minutes; the power to change users is read from the database each time.
func TestATokenOfBeforeTheDemotionChangesNobody(t *testing.T) {
	f := serve(t)
	second := f.make("second", accessv1.Role_ADMIN)
	before := f.with(f.login("second@shop.dz", somePassword).GetAccessToken())
	agent := accessv1.Role_AGENT_SUIVI
	if _, err := f.UpdateUser(f.admin(), &identityv1.UpdateUserRequest{UserId: second.GetId(), Role: &agent}); err != nil {
		t.Fatal(err)
	}
	admin := accessv1.Role_ADMIN
	_, err := f.UpdateUser(before, &identityv1.UpdateUserRequest{UserId: second.GetId(), Role: &admin})
	refused(t, "take the role back", err, codes.PermissionDenied, "PERMISSION_DENIED")
}

func TestAPersonChangesTheOwnPassword(t *testing.T) {
	f := serve(t)
	f.make("amina", accessv1.Role_AGENT_SUIVI)
	elsewhere := f.login("amina@shop.dz", somePassword)
	here := f.login("amina@shop.dz", somePassword)
	if !here.GetUser().GetMustChangePassword() {
		t.Error("the first password was chosen by somebody else and need not be changed")
	}
	mine := f.with(here.GetAccessToken())
	change := func(current, next string) error {
		_, err := f.ChangePassword(mine, &identityv1.ChangePasswordRequest{CurrentPassword: current, NewPassword: next})
		return err
	}
	wrong := change("wrong", "my own choice of words") // no 401: the access token is good, and a browser would throw its session away
	refused(t, "a wrong current password", wrong, codes.InvalidArgument, "WRONG_CURRENT_PASSWORD")
	if fields := rpcerr.Fields(wrong); len(fields) != 1 || fields[0].Path != "currentPassword" {
		t.Errorf("fields = %v", fields)
	}
	weak := change(somePassword, "amina@shop.dz")
	refused(t, "the e-mail as password", weak, codes.InvalidArgument, "PASSWORD_TOO_WEAK")
	if fields := rpcerr.Fields(weak); len(fields) != 1 || fields[0].Path != "newPassword" {
		t.Errorf("fields = %v", fields)
	}
	if err := change(somePassword, "my own choice of words"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.refresh(here.GetRefreshToken()); err != nil {
		t.Errorf("the session that changed it: %v", err)
	}
	_, err := f.refresh(elsewhere.GetRefreshToken())
	refused(t, "the other session", err, codes.Unauthenticated, "REFRESH_TOKEN_INVALID")
	refused(t, "the old password", f.guess("amina@shop.dz", somePassword, office), codes.Unauthenticated, "INVALID_CREDENTIALS")
	if f.login("amina@shop.dz", "my own choice of words").GetUser().GetMustChangePassword() {
		t.Error("the own password must be changed again")
	}
	for range account.FailuresPerPair - 2 { // two failed above
		_ = change("wrong", "a third choice of words")
	}
	refused(t, "guessing the current one", change("my own choice of words", "a third choice of words"), codes.ResourceExhausted, "TOO_MANY_FAILURES")
}

func TestAResetEndsTheSessions(t *testing.T) {
	f := serve(t)
	user := f.make("amina", accessv1.Role_AGENT_SUIVI)
	session := f.login("amina@shop.dz", somePassword)
	_, err := f.ResetPassword(f.admin(), &identityv1.ResetPasswordRequest{UserId: user.GetId(), NewPassword: "given by the boss"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.refresh(session.GetRefreshToken())
	refused(t, "the session of before", err, codes.Unauthenticated, "REFRESH_TOKEN_INVALID")
	if !f.login("amina@shop.dz", "given by the boss").GetUser().GetMustChangePassword() {
		t.Error("a password given by somebody else need not be changed")
	}
}

func TestAWeakNewPasswordTellsNothingAboutTheCurrentOne(t *testing.T) {
	f := serve(t)
	admin := f.admin()
	for what, current := range map[string]string{"a wrong guess": "wrong", "a right one": adminPassword} {
		_, err := f.ChangePassword(admin, &identityv1.ChangePasswordRequest{CurrentPassword: current, NewPassword: "short"})
		refused(t, what, err, codes.InvalidArgument, "PASSWORD_TOO_WEAK")
	}
}

func TestAnAttackedAccountChangesItsPasswordSlowly(t *testing.T) {
	f := serve(t)
	for i := range account.FailuresPerHour {
		refused(t, "a guess", f.guess(adminEmail, "wrong", fmt.Sprintf("198.51.100.%d", i/5)), codes.Unauthenticated, "INVALID_CREDENTIALS")
	}
	login := f.admin()
	before := f.clock.pauses()
	_, err := f.ChangePassword(login, &identityv1.ChangePasswordRequest{CurrentPassword: adminPassword, NewPassword: "my own choice of words"})
	if err != nil || f.clock.pauses() != before+1 {
		t.Errorf("the owner: %v, %d pauses; want one", err, f.clock.pauses()-before)
	}
}

// A stolen access token ends after fifteen minutes; it must not be worth a password of the thief's choice.
func TestNobodyResetsTheOwnPassword(t *testing.T) {
	f := serve(t)
	me := f.login(adminEmail, adminPassword)
	_, err := f.ResetPassword(f.with(me.GetAccessToken()), &identityv1.ResetPasswordRequest{
		UserId: me.GetUser().GetId(), NewPassword: "taken over by a thief",
	})
	refused(t, "without the current password", err, codes.FailedPrecondition, "OWN_PASSWORD")
	f.login(adminEmail, adminPassword)
	if _, err := f.refresh(me.GetRefreshToken()); err != nil {
		t.Errorf("the refusal ended the session: %v", err)
	}
}

func TestUsersAreMadeOnceAndChangedByEtag(t *testing.T) {
	f := serve(t)
	admin := f.admin()
	req := &identityv1.CreateUserRequest{
		Email: "Amina.Benali@shop.dz", Name: "Amina Benali", Role: accessv1.Role_AGENT_SUIVI, Password: somePassword,
	}
	keyed := metadata.AppendToOutgoingContext(admin, "idempotency-key", "k-1")
	first, err := f.CreateUser(keyed, req)
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.CreateUser(keyed, req)
	if err != nil || again.GetUser().GetId() != first.GetUser().GetId() {
		t.Errorf("repeated: %v, %v", again, err)
	}
	_, err = f.CreateUser(admin, req)
	refused(t, "without the request id", err, codes.AlreadyExists, "EMAIL_TAKEN")
	req.Name = "Somebody Else"
	_, err = f.CreateUser(keyed, req)
	refused(t, "the same id for another user", err, codes.InvalidArgument, "REQUEST_ID_REUSED")

	name := "Amina B."
	id, etag := first.GetUser().GetId(), first.GetUser().GetEtag()
	changed, err := f.UpdateUser(admin, &identityv1.UpdateUserRequest{UserId: id, Name: &name, Etag: etag})
	if err != nil {
		t.Fatal(err)
	}
	repeated, err := f.UpdateUser(admin, &identityv1.UpdateUserRequest{UserId: id, Name: &name, Etag: etag})
	if err != nil || repeated.GetUser().GetEtag() != changed.GetUser().GetEtag() {
		t.Errorf("repeated: %v, %v; want what the first call answered", repeated, err)
	}
	name = "Somebody B."
	_, err = f.UpdateUser(admin, &identityv1.UpdateUserRequest{UserId: id, Name: &name, Etag: etag})
	refused(t, "the etag of before", err, codes.Aborted, "ETAG_STALE")
	_, err = f.GetUser(admin, &identityv1.GetUserRequest{UserId: "01890000-0000-7000-8000-000000000000"})
	refused(t, "nobody", err, codes.NotFound, "USER_NOT_FOUND")
}

func TestUsersAreListedInPagesThatBelongToTheirListAndUser(t *testing.T) {
	f := serve(t)
	for i := range 5 {
		f.make(fmt.Sprintf("agent%d", i), accessv1.Role_AGENT_SUIVI)
	}
	f.make("manager", accessv1.Role_MANAGER)
	req := &identityv1.ListUsersRequest{PageSize: 2, Role: []accessv1.Role_Value{accessv1.Role_AGENT_SUIVI}}
	roster := f.asService("assignment")
	var names []string
	for {
		page, err := f.ListUsers(roster, req)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.GetUsers() {
			names = append(names, u.GetName())
		}
		if req.PageToken = page.GetNextPageToken(); req.GetPageToken() == "" {
			break
		}
		_, err = f.ListUsers(f.admin(), req)
		refused(t, "somebody else's token", err, codes.InvalidArgument, "PAGE_TOKEN_INVALID")
		_, err = f.ListUsers(roster, &identityv1.ListUsersRequest{PageToken: req.GetPageToken()})
		refused(t, "another filter's token", err, codes.InvalidArgument, "PAGE_TOKEN_INVALID")
	}
	if diff := cmp.Diff([]string{"agent0", "agent1", "agent2", "agent3", "agent4"}, names); diff != "" {
		t.Errorf("agents (-want +got):\n%s", diff)
	}
}

// A page token is a checksum and no signature: whoever computes it may put anything in it, and must not get our fault for an answer.
func TestAForgedPageTokenIsTheFaultOfItsMaker(t *testing.T) {
	f := serve(t)
	admin := f.admin()
	me := f.login(adminEmail, adminPassword).GetUser().GetId()
	users := strings.Join([]string{"users", me, "", "[]", "false false"}, "\x00")
	trail := strings.Join([]string{"audit", me, "", "", "", "", ""}, "\x00")
	for _, key := range []string{"not-a-uuid", "urn:uuid:01890000-0000-7000-8000-000000000000", "a\x00b"} {
		_, err := f.ListUsers(admin, &identityv1.ListUsersRequest{PageToken: account.PageToken(key, users)})
		refused(t, "users after "+key, err, codes.InvalidArgument, "PAGE_TOKEN_INVALID")
		_, err = f.ListAuditEvents(admin, &identityv1.ListAuditEventsRequest{PageToken: account.PageToken(key, trail)})
		refused(t, "events after "+key, err, codes.InvalidArgument, "PAGE_TOKEN_INVALID")
	}
	honest := account.PageToken("01890000-0000-7000-8000-000000000000", users)
	if _, err := f.ListUsers(admin, &identityv1.ListUsersRequest{PageToken: honest}); err != nil {
		t.Errorf("a token of the same scope: %v", err)
	}
}

func TestARequestIDIsBoundedHoweverItComes(t *testing.T) {
	f := serve(t)
	admin := f.admin()
	make := func(ctx context.Context, name string) error {
		_, err := f.CreateUser(ctx, &identityv1.CreateUserRequest{
			Email: name + "@shop.dz", Name: name, Role: accessv1.Role_AGENT_SUIVI, Password: somePassword,
		})
		return err
	}
	longest := strings.Repeat("k", 64)
	if err := make(metadata.AppendToOutgoingContext(admin, "idempotency-key", longest), "longest"); err != nil {
		t.Errorf("64 characters: %v", err)
	}
	tooLong := metadata.AppendToOutgoingContext(admin, "idempotency-key", longest+"k")
	refused(t, "65 characters", make(tooLong, "long"), codes.InvalidArgument, "INVALID_REQUEST")
	twice := metadata.AppendToOutgoingContext(admin, "idempotency-key", "a", "idempotency-key", "b")
	refused(t, "two keys", make(twice, "twice"), codes.InvalidArgument, "INVALID_REQUEST")
}

func TestChangesAreInTheAuditTrail(t *testing.T) {
	f := serve(t)
	user := f.make("amina", accessv1.Role_AGENT_SUIVI)
	admin := f.admin()
	if _, err := f.DisableUser(admin, &identityv1.DisableUserRequest{UserId: user.GetId(), Reason: "on leave"}); err != nil {
		t.Fatal(err)
	}
	req := &identityv1.ListAuditEventsRequest{Resource: "user/" + user.GetId(), PageSize: 1}
	var actions []string
	for {
		page, err := f.ListAuditEvents(admin, req)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.GetEvents() {
			actions = append(actions, e.GetAction()+" "+e.GetReason())
			if e.GetRole() != "ADMIN" || e.GetAddress() != office || e.GetRequestId() == "" {
				t.Errorf("event %v does not say who", e)
			}
		}
		if req.PageToken = page.GetNextPageToken(); req.GetPageToken() == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"DisableUser on leave", "CreateUser "}, actions); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
	first, err := f.ListAuditEvents(admin, &identityv1.ListAuditEventsRequest{ActorId: Name})
	if err != nil || len(first.GetEvents()) != 1 || first.GetEvents()[0].GetAction() != "Bootstrap" || first.GetEvents()[0].GetRole() != "SERVICE" {
		t.Errorf("what identity did for itself: %v, %v", first, err)
	}
	tomorrow := time.Now().AddDate(0, 0, 2).Format(time.DateOnly)
	page, err := f.ListAuditEvents(admin, &identityv1.ListAuditEventsRequest{From: tomorrow})
	if err != nil || len(page.GetEvents()) != 0 {
		t.Errorf("from the day after tomorrow: %v, %v", page, err)
	}
	_, err = f.ListAuditEvents(admin, &identityv1.ListAuditEventsRequest{From: "2026-02-30"})
	refused(t, "a day that does not exist", err, codes.InvalidArgument, "INVALID_REQUEST")
}

func TestCleanupSaysWhatItRemoved(t *testing.T) {
	f := serve(t)
	f.login(adminEmail, adminPassword)
	f.clock.advance(account.SessionIdleLife)
	res, err := f.Cleanup(f.asService("scheduler"), &identityv1.CleanupRequest{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int32{}
	for _, r := range res.GetRemoved() {
		got[r.GetKind()] = r.GetCount()
	}
	want := map[string]int32{"session": 1, "refresh_token": 1, "login_failure": 0, "idempotency_key": 0, "signing_key": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
}

func TestGetMeTellsWhatTheRoleMayCallInTheWholeSuite(t *testing.T) {
	f := serve(t)
	f.make("agent", accessv1.Role_AGENT_SUIVI)
	me, err := f.GetMe(f.with(f.login("agent@shop.dz", somePassword).GetAccessToken()), &identityv1.GetMeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]bool{
		"libertaphonix.orders.v1.OrdersService/ListOrders":       true,
		"libertaphonix.orders.v1.OrdersService/IngestOrders":     false,
		"libertaphonix.identity.v1.IdentityService/GetMe":        true,
		"libertaphonix.identity.v1.IdentityService/CreateUser":   false,
		"libertaphonix.ecosync.v1.EcosyncService/CreateStore":    false,
		"libertaphonix.identity.v1.IdentityService/ListAuditEve": false,
	} {
		if slices.Contains(me.GetPermissions(), method) != want {
			t.Errorf("%s allowed = %v, want %v", method, !want, want)
		}
	}
}

// Every method, every kind of caller: let in or refused as the contract says (lesson P80). What a method then makes of an empty
// request does not matter here.
func TestEveryMethodLetsInWhomTheContractNames(t *testing.T) {
	f := serve(t)
	f.make("manager", accessv1.Role_MANAGER)
	f.make("agent", accessv1.Role_AGENT_SUIVI)
	rules, _, err := permissions()
	if err != nil {
		t.Fatal(err)
	}
	callers := map[string]struct {
		principal auth.Principal
		token     func() string
	}{
		"anonymous": {auth.Principal{}, func() string { return "" }},
		"ADMIN": {auth.Principal{Kind: auth.User, Role: "ADMIN"}, func() string {
			return f.login(adminEmail, adminPassword).GetAccessToken()
		}},
		"MANAGER": {auth.Principal{Kind: auth.User, Role: "MANAGER"}, func() string {
			return f.login("manager@shop.dz", somePassword).GetAccessToken()
		}},
		"AGENT_SUIVI": {auth.Principal{Kind: auth.User, Role: "AGENT_SUIVI"}, func() string {
			return f.login("agent@shop.dz", somePassword).GetAccessToken()
		}},
	}
	for name, caller := range callers {
		token := caller.token()
		for method, rule := range rules {
			ctx := f.from(office)
			if token != "" {
				ctx = f.with(token)
			}
			err := f.conn.Invoke(ctx, method, &emptypb.Empty{}, &emptypb.Empty{})
			code, _, reason := rpcerr.Reason(err)
			turnedAway := code == codes.PermissionDenied && reason == "PERMISSION_DENIED" || code == codes.Unauthenticated && reason == "TOKEN_MISSING"
			if turnedAway == rule.Allows(caller.principal) {
				t.Errorf("%s calls %s: %v", name, method, err)
			}
		}
	}
	for _, service := range []string{"orders", "ecosync", "assignment", "scheduler"} {
		for method, rule := range rules {
			err := f.conn.Invoke(f.asService(service), method, &emptypb.Empty{}, &emptypb.Empty{})
			code, _, reason := rpcerr.Reason(err)
			turnedAway := code == codes.PermissionDenied && reason == "PERMISSION_DENIED"
			if turnedAway == rule.Allows(auth.Principal{Kind: auth.Service, Service: service, Subject: service}) {
				t.Errorf("%s calls %s: %v", service, method, err)
			}
		}
	}
}

func TestSystemTellsTheStateOfTheProcess(t *testing.T) {
	f := serve(t)
	res, err := systemv1.NewSystemServiceClient(f.conn).GetSystem(f.admin(), &systemv1.GetSystemRequest{})
	if err != nil || res.GetService() != Name || !res.GetDatabase().GetReachable() || res.GetDatabase().GetMax() == 0 {
		t.Errorf("system = %v, %v", res, err)
	}
}
