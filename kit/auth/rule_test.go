package auth_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libertaphonix/libertaphonix/kit/auth"
)

func TestARuleLetsInWhomItNamesAndNobodyElse(t *testing.T) {
	admin := auth.Principal{Kind: auth.User, Subject: "a", Role: "ADMIN"}
	callers := map[string]auth.Principal{
		"nobody":                {},
		"admin":                 admin,
		"agent":                 {Kind: auth.User, Subject: "g", Role: "AGENT_SUIVI"},
		"ecosync":               {Kind: auth.Service, Service: "ecosync"},
		"ecosync for an admin":  {Kind: auth.Service, Service: "ecosync", Actor: &admin},
		"scheduler":             {Kind: auth.Service, Service: "scheduler"},
		"a user called ecosync": {Kind: auth.User, Subject: "ecosync", Service: "ecosync", Role: "x"},
		"a service with a role": {Kind: auth.Service, Service: "x", Role: "ADMIN"},
		"anonymous with a role": {Role: "ADMIN", Service: "ecosync"},
	}
	all := make([]string, 0, len(callers))
	for name := range callers {
		all = append(all, name)
	}
	for name, tc := range map[string]struct {
		rule auth.Rule
		in   []string
	}{
		"the zero rule": {auth.Rule{}, nil},
		"everybody":     {auth.Rule{Anonymous: true}, all},
		"every user":    {auth.Rule{Authenticated: true}, []string{"admin", "agent", "a user called ecosync"}},
		"admins":        {auth.Rule{Roles: []string{"ADMIN"}}, []string{"admin"}},
		"ecosync":       {auth.Rule{Services: []string{"ecosync"}}, []string{"ecosync", "ecosync for an admin"}},
		"admins and scheduler": {
			auth.Rule{Roles: []string{"ADMIN"}, Services: []string{"scheduler"}}, []string{"admin", "scheduler"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			want, got := map[string]bool{}, map[string]bool{}
			for _, c := range tc.in {
				want[c] = true
			}
			for c, p := range callers {
				if tc.rule.Allows(p) {
					got[c] = true
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("let in (-want +got):\n%s", diff)
			}
		})
	}
}

func TestThePersonIsWhoIsBehindTheCall(t *testing.T) {
	user := auth.Principal{Kind: auth.User, Subject: "u"}
	for name, tc := range map[string]struct{ caller, want auth.Principal }{
		"a user":               {user, user},
		"a service for a user": {auth.Principal{Kind: auth.Service, Service: "x", Actor: &user}, user},
		"a service by itself":  {auth.Principal{Kind: auth.Service, Service: "x"}, auth.Principal{Kind: auth.Service, Service: "x"}},
		"nobody":               {auth.Principal{}, auth.Principal{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.caller.Person()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAContextWithoutACallerIsAnonymous(t *testing.T) {
	if p := auth.From(context.Background()); p.Kind != auth.Anonymous {
		t.Errorf("got %+v", p)
	}
}

func TestABearerTokenIsReadFromItsHeader(t *testing.T) {
	for header, want := range map[string]string{
		"Bearer abc": "abc", "bearer abc": "abc", "Bearer  abc ": "abc", "Basic abc": "", "abc": "", "": "", "Bearer": "",
	} {
		if got := auth.BearerToken(header); got != want {
			t.Errorf("BearerToken(%q) = %q, want %q", header, got, want)
		}
	}
}
