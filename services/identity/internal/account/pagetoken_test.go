package account

import "testing"

func FuzzPageTokensOfOthersAreRefused(f *testing.F) {
	f.Add(PageToken("0190", "users"), "users")
	f.Add("", "users")
	f.Add("AAAAAAAAAAAA", "audit")
	f.Fuzz(func(t *testing.T, token, scope string) {
		key, err := ParsePageToken(token, scope)
		if err != nil || token == "" {
			return
		}
		if PageToken(key, scope) != token {
			t.Errorf("%q was accepted and is not what would be written", token)
		}
		if _, err := ParsePageToken(token, scope+"x"); err == nil {
			t.Errorf("%q is good for two scopes", token)
		}
	})
}
