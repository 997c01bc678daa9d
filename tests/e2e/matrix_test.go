package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/contract"
	"github.com/getkin/kin-openapi/openapi3"
)

// Every operation of openapi.yaml × every role × own and foreign objects: who is not named gets 401 or 403, and a foreign
// object cannot be told from one that does not exist.
func TestNobodySeesWhatIsNotTheirs(t *testing.T) {
	both(t, func(t *testing.T, stage Option) {
		box := NewMailbox(t)
		w := NewWorld(t, stage, func(c *Settings) { c.SMTP, c.From = "smtp://"+box.Addr, "castor@plant.example" })
		m := newMatrix(w)
		for _, op := range m.operations() {
			t.Run(op.id, func(t *testing.T) {
				for _, who := range m.people {
					m.check(t, op, who)
				}
			})
		}
	})
}

// A person is one row of the matrix.
type person struct {
	name  string
	role  string // as x-castor-roles has it; "" = nobody, "part" = a part of the platform that no operation names
	token string
}

type operation struct {
	id, method, path string
	roles, parts     []string
	object           string
	body             bool
	query            string // what it must have
}

type matrix struct {
	w      *World
	doc    *openapi3.T
	people []person

	// things of group "ours", and words that must not be in anything that others see.
	things map[string]string
	words  []string
}

func newMatrix(w *World) *matrix {
	doc, err := contract.Load()
	w.must(err, "openapi.yaml")
	m := &matrix{w: w, doc: doc.Doc, things: map[string]string{}}
	w.Type("pump")
	ours, _ := w.Owner("ours"), w.Owner("theirs")
	w.User("watcher", []access.Role{access.Viewer}, "theirs")
	w.User("maker", []access.Role{access.Developer}, "theirs")
	w.User("setter", []access.Role{access.Configurator}, "theirs")
	pump := w.Provision("pump", "SECRET-7", "ours")
	pump.Measure(time.Now(), map[string]any{"rpm": 9000.0})
	rule := w.Rule(pump.Twin(), "rpm > 100", monitor.Warning)
	w.Eventually("the alarm is there", func() bool { return len(w.Alarms(pump.Twin())) == 1 })
	route, err := ours.CreateRoute(w.Context(), api.Route{Name: "secret-route", Owner: "ours", Email: []string{"secret@ours.example"}})
	w.must(err, "route")
	claims, err := ours.ListClaims(w.Context(), api.ClaimQuery{})
	w.must(err, "claims")
	command, err := ours.SendCommand(w.Context(), api.NewCommand{Twin: pump.Twin(), Name: "secret-command"})
	w.must(err, "command")
	m.things = map[string]string{"command": command.ID, "twin": string(pump.Twin()), "rule": rule.ID, "alarm": w.Alarms(pump.Twin())[0].ID, "route": route.ID,
		"run": w.Runs(pump.Twin())[0], "assignment": string(pump.Ref()), "identity": string(pump.Twin())}
	m.words = []string{"secret-7", "SECRET-7", "secret-route", "secret-command", "secret@ours", "ours-owner", string(pump.Ref())}
	for _, c := range claims.Items {
		m.things["claim"] = c.ID
		m.words = append(m.words, c.ID)
	}
	m.people = append(m.people, person{name: "nobody"})
	for name, role := range map[string]access.Role{"ours-owner": access.Owner, "theirs-owner": access.Owner, "watcher": access.Viewer, "maker": access.Developer, "setter": access.Configurator} {
		m.people = append(m.people, person{name: name, role: string(role), token: m.login(name, password)})
	}
	m.people = append(m.people, person{name: "admin", role: string(access.Maintainer), token: m.login("admin", w.password)}, person{name: "stranger part", role: "part"})
	slices.SortFunc(m.people, func(a, b person) int { return strings.Compare(a.name, b.name) })
	return m
}

func (m *matrix) login(name, password string) string {
	tok, err := m.w.Client("").Login(m.w.Context(), api.Login{Name: name, Password: password})
	m.w.must(err, "login of "+name)
	return tok.Access
}

func (m *matrix) operations() (all []operation) {
	for path, item := range m.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if path == "/stream" {
				continue // its answer has no end; connectors/stream has its own rows
			}
			o := operation{id: op.OperationID, method: method, path: path, body: op.RequestBody != nil}
			for _, p := range op.Parameters {
				if p.Value.In == "query" && p.Value.Required {
					o.query += "&" + p.Value.Name + "=rpm"
				}
			}
			o.roles, o.parts = words(op.Extensions["x-castor-roles"]), words(op.Extensions["x-castor-parts"])
			o.object, _ = op.Extensions["x-castor-object"].(string)
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.id, b.id) })
	return all
}

func words(v any) (all []string) {
	list, _ := v.([]any)
	for _, e := range list {
		all = append(all, fmt.Sprint(e))
	}
	return all
}

var variable = regexp.MustCompile(`\{[^}]+\}`)

// check makes one person call one operation: on nothing, then on the object of "ours".
func (m *matrix) check(t *testing.T, op operation, who person) {
	t.Helper()
	public := slices.Contains(op.roles, "public")
	named := public || who.role == "part" && slices.Contains(op.parts, "*") || slices.Contains(op.roles, who.role) || who.role == string(access.Maintainer) && len(op.roles) > 0
	if ends(op) && named {
		return // it would end what the other rows need
	}
	status, nothing := m.call(op, who, "nothing-of-that-name")
	switch {
	case who.role == "" && !public && status != http.StatusUnauthorized:
		t.Errorf("nobody gets %d, want 401", status)
	case who.role != "" && !named && status != http.StatusForbidden:
		t.Errorf("%s gets %d, want 403", who.name, status)
	case named && (status == http.StatusUnauthorized || status >= 500) && !public:
		t.Errorf("%s gets %d: %s", who.name, status, nothing)
	}
	// Own objects are there for their owner.
	if own, ok := m.things[op.object]; ok && named && op.method == http.MethodGet && strings.Contains(op.path, "{") && (who.name == "ours-owner" || who.role == string(access.Maintainer)) {
		if s, answer := m.call(op, who, own); s != http.StatusOK {
			t.Errorf("%s gets %d for the own %s: %s", who.name, s, op.object, answer)
		}
	}
	if !named || who.name == "ours-owner" || who.role == string(access.Maintainer) || who.role == "part" || public {
		return
	}
	// Configurators bring devices in, for any group: they see identities and claims.
	if who.role == string(access.Configurator) && (strings.HasPrefix(op.path, "/function/identities/") || strings.HasPrefix(op.path, "/function/credentials/claims")) {
		return
	}
	foreign := nothing
	if thing, ok := m.things[op.object]; ok && strings.Contains(op.path, "{") {
		var s int
		s, foreign = m.call(op, who, thing)
		if s != status || strings.ReplaceAll(foreign, thing, "X") != strings.ReplaceAll(nothing, "nothing-of-that-name", "X") {
			t.Errorf("%s can tell the foreign %s from one that is not there:\n%d %s\n%d %s", who.name, op.object, s, foreign, status, nothing)
		}
		foreign = strings.ReplaceAll(foreign, thing, "")
	}
	for _, word := range m.words {
		if strings.Contains(foreign, word) {
			t.Errorf("%s reads %q: %.300s", who.name, word, foreign)
		}
	}
}

// ends tells of operations whose success would change what the other rows stand on.
func ends(op operation) bool {
	return op.id == "logout" || strings.Contains(strings.ToLower(op.id), "rotate") || op.method == http.MethodDelete && op.object == ""
}

var callID = regexp.MustCompile(`,?"callId":"[^"]*"`)

func (m *matrix) call(op operation, who person, thing string) (int, string) {
	path := variable.ReplaceAllString(op.path, thing)
	var body io.Reader
	if op.body {
		body = strings.NewReader("{}")
	}
	req, err := http.NewRequestWithContext(m.w.Context(), op.method, m.w.URL+path+"?"+op.query, body)
	m.w.must(err, "request")
	if op.body {
		req.Header.Set("Content-Type", "application/json")
	}
	if token := m.tokenFor(op, who); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := m.w.HTTP.Do(req)
	m.w.must(err, op.id)
	defer resp.Body.Close()
	if who.role == "part" && resp.StatusCode == http.StatusBadGateway && m.w.Cluster != nil {
		return m.call(op, who, thing) // its replica was killed; parts call again
	}
	b, err := io.ReadAll(resp.Body)
	m.w.must(err, op.id)
	return resp.StatusCode, callID.ReplaceAllString(string(bytes.TrimSpace(b)), "")
}

// tokenFor is the person's token; a part of the platform gets one for the function called, which names it in no operation.
func (m *matrix) tokenFor(op operation, who person) string {
	if who.role != "part" {
		return who.token
	}
	return m.partToken(op, "stranger")
}

// partToken is what a part of the platform gets for the function of an operation.
func (m *matrix) partToken(op operation, part string) string {
	parts, err := os.ReadFile(filepath.Join(m.w.keys(), platform.SecretParts))
	m.w.must(err, "the platform's secret")
	function := strings.Split(op.path, "/")[2]
	client := m.w.Client("")
	client.Retries = true
	tok, err := client.Exchange(context.Background(), api.Exchange{Part: part, Audience: function,
		Secret: platform.DerivePart(bytes.TrimSpace(parts), part, "")})
	m.w.must(err, "a part's token")
	return tok.Access
}

// A grant is what lets somebody in, and taking it back shuts the door.
func TestGrantsOpenAndClose(t *testing.T) {
	both(t, func(t *testing.T, stage Option) {
		w := NewWorld(t, stage)
		w.Type("pump")
		ours := w.Owner("ours")
		guest := w.User("guest", []access.Role{access.Viewer}, "theirs")
		pump := w.Provision("pump", "P-7", "ours")
		if _, err := guest.GetTwin(w.Context(), pump.Twin()); api.ProblemOf(err).Status != http.StatusNotFound {
			t.Fatalf("before the grant: %v", err)
		}
		grant, err := ours.CreateGrant(w.Context(), access.Grant{Subject: "user:guest", Object: access.TwinName(pump.Twin()), Right: access.Read})
		w.must(err, "grant")
		w.Eventually("the guest reads the twin", func() bool { _, err := guest.GetTwin(w.Context(), pump.Twin()); return err == nil })
		if _, err := guest.UpdateTwin(w.Context(), pump.Twin(), 0, json.RawMessage(`{"name":"mine"}`)); api.ProblemOf(err).Status != http.StatusForbidden {
			t.Errorf("a reader who writes gets %v, want 403", err)
		}
		list, err := guest.ListTwins(w.Context(), api.TwinQuery{Kind: twin.Instance})
		w.must(err, "list")
		if len(list.Items) != 1 {
			t.Errorf("the guest lists %d twins, want 1", len(list.Items))
		}
		w.must(ours.DeleteGrant(w.Context(), grant.ID), "take back")
		w.Eventually("the guest is out", func() bool { _, err := guest.GetTwin(w.Context(), pump.Twin()); return err != nil })
	})
}
