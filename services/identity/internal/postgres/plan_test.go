package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
)

// What every login and refresh asks stays a look into an index, whatever a flood of guesses leaves behind until the daily cleanup.
func TestTheHotQueriesUseTheirIndexes(t *testing.T) {
	s := newStore(t)
	u := put(t, s, someone(account.Agent))
	_, token := begin(t, s, u)
	const fill = `
		INSERT INTO identity.login_failure (account_hash, address, failed_at)
		SELECT pg_catalog.sha256(pg_catalog.int4send(i % 5000)), '198.51.100.' || i % 250, $1::timestamptz - i * interval '1 second'
		FROM pg_catalog.generate_series(1, 40000) i`
	if _, err := s.pool.Exec(t.Context(), fill, noon); err != nil {
		t.Fatal(err)
	}
	const families = `
		WITH s AS (
			INSERT INTO identity.session (session_id, user_id, created_at, last_used_at, expires_at, address, user_agent, cookie, refresh_window_at)
			SELECT pg_catalog.gen_random_uuid(), $1, $2, $2, $2, '', '', false, $2 FROM pg_catalog.generate_series(1, 20000)
			RETURNING session_id)
		INSERT INTO identity.refresh_token (token_hash, session_id, created_at)
		SELECT pg_catalog.sha256(s.session_id::text::bytea), s.session_id, $2 FROM s`
	if _, err := s.pool.Exec(t.Context(), families, u.ID, noon); err != nil {
		t.Fatal(err)
	}
	if err := s.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	key, hash := account.NewFailureKey(string(u.Email)), token.Hash()
	for name, query := range map[string]struct {
		sql  string
		args []any
	}{
		"count failures": {countFailures, []any{
			key[:], "203.0.113.7", noon.Add(-account.PairWindow), 9, noon.Add(-account.AccountWindow), 50,
		}},
		"lock a family":    {lockFamily, []any{hash[:]}},
		"read a family":    {readFamily, []any{hash[:]}},
		"end a session":    {revokeByToken, []any{hash[:], noon.Add(time.Hour), "LOGOUT"}},
		"end all sessions": {revokeSessions, []any{"01890000-0000-7000-8000-000000000000", "", noon, "DISABLED"}},
	} {
		t.Run(name, func(t *testing.T) {
			var plan string
			if err := s.pool.QueryRow(t.Context(), `EXPLAIN (FORMAT JSON) `+query.sql, query.args...).Scan(&plan); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(plan, `"Seq Scan"`) {
				t.Errorf("reads a whole table:\n%s", plan)
			}
		})
	}
}
