package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/libertaphonix/libertaphonix/dev/demo"
)

// restClient speaks the public REST API as one person.
type restClient struct {
	root    string
	account demo.Account

	access, refresh string
	expires         time.Time
}

// apiError is a refusal of the API.
type apiError struct {
	status  int
	Message string `json:"message"`
	Details []struct {
		Reason string `json:"reason"`
	} `json:"details"`
}

func (e *apiError) Error() string { return fmt.Sprintf("HTTP %d: %s", e.status, e.Message) }

// refusedFor tells refusals by their reason: nobody compares message text.
func refusedFor(err error, reason string) bool {
	var refused *apiError
	if !errors.As(err, &refused) {
		return false
	}
	for _, d := range refused.Details {
		if d.Reason == reason {
			return true
		}
	}
	return false
}

type tokens struct {
	AccessToken  string `json:"accessToken"`
	RefreshToken string `json:"refreshToken"`
	ExpiresIn    int    `json:"expiresIn"` // seconds
}

// token answers an access token that is good for another minute at least. The refresh token is used before the password: a launcher that
// logs in every quarter of an hour would fill the list of sessions.
func (c *restClient) token(ctx context.Context) (string, error) {
	if time.Until(c.expires) > time.Minute {
		return c.access, nil
	}
	var got tokens
	err := errors.New("no refresh token yet")
	if c.refresh != "" {
		body := struct {
			RefreshToken string `json:"refreshToken"`
		}{c.refresh}
		err = c.send(ctx, http.MethodPost, "/auth/refresh", "", body, &got)
	}
	if err != nil {
		body := struct {
			Email    string `json:"email"`
			Password string `json:"password"`
		}{c.account.Email, c.account.Password}
		if err = c.send(ctx, http.MethodPost, "/auth/login", "", body, &got); err != nil {
			return "", err
		}
	}
	c.access, c.refresh = got.AccessToken, got.RefreshToken
	c.expires = time.Now().Add(time.Duration(got.ExpiresIn) * time.Second)
	return c.access, nil
}

// do sends one request with the person's token. in and out may be nil.
func (c *restClient) do(ctx context.Context, method, path string, in, out any) error {
	token, err := c.token(ctx)
	if err != nil {
		return err
	}
	return c.send(ctx, method, path, token, in, out)
}

func (c *restClient) send(ctx context.Context, method, path, token string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	body := io.Reader(http.NoBody)
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.root+"/api/v1"+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		refused := &apiError{status: resp.StatusCode}
		if json.Unmarshal(answer, refused) != nil {
			refused.Message = string(answer)
		}
		return fmt.Errorf("%s %s: %w", method, path, refused)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}
