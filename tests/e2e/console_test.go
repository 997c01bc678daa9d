package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
)

// A person signs in as the console's page does, works with the cookies, renews them and signs out.
func TestSessionOfAPerson(t *testing.T) {
	both(t, func(t *testing.T, stage Option) {
		w := NewWorld(t, stage)
		w.Type("pump")
		w.Owner("ours")
		w.User("ada", []access.Role{access.Owner}, "ours")
		pump := w.Provision("pump", "P-7", "ours")
		cookies := map[string]string{}
		call := func(method, path, body string) (int, string) {
			t.Helper()
			for range 5 {
				req, err := http.NewRequestWithContext(w.Context(), method, w.URL+path, strings.NewReader(body))
				w.must(err, path)
				req.Header.Set("X-Castor-Console", strings.Repeat("p", 42)+"A")
				req.Header.Set("Sec-Fetch-Site", "same-origin")
				if body != "" {
					req.Header.Set("Content-Type", "application/json")
				}
				for name, value := range cookies {
					req.AddCookie(&http.Cookie{Name: name, Value: value})
				}
				resp, err := w.HTTP.Do(req)
				w.must(err, path)
				b, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				w.must(err, path)
				if resp.StatusCode == http.StatusBadGateway && w.Cluster != nil {
					continue // its replica was killed; the page calls again
				}
				for _, c := range resp.Cookies() {
					if cookies[c.Name] = c.Value; c.MaxAge < 0 {
						delete(cookies, c.Name)
					}
				}
				return resp.StatusCode, string(b)
			}
			t.Fatalf("%s %s meets killed replicas only", method, path)
			return 0, ""
		}
		if status, body := call("POST", "/function/console/session", `{"name":"ada","password":"`+password+`"}`); status != 200 || len(cookies) != 2 {
			t.Fatalf("sign in: %d %s", status, body)
		}
		if status, body := call("GET", "/function/twins/twins/"+string(pump.Twin()), ""); status != 200 || !strings.Contains(body, string(pump.Twin())) {
			t.Errorf("the own twin: %d %s", status, body)
		}
		status, body := call("POST", "/function/console/session/refresh", "")
		var s api.Session
		if err := json.Unmarshal([]byte(body), &s); status != 200 || err != nil || s.User.ID != "ada" {
			t.Errorf("renew: %d %s, %v", status, body, err)
		}
		if status, body := call("DELETE", "/function/console/session", ""); status != 204 || len(cookies) != 0 {
			t.Errorf("sign out: %d %s", status, body)
		}
		if status, _ := call("GET", "/function/console/session", ""); status != 204 {
			t.Errorf("after signing out: %d", status)
		}
	})
}
