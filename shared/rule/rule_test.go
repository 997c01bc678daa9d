package rule_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/rule"
	"github.com/castor-iot/castor/shared/twin"
)

func judge(t testing.TB) *rule.Judge {
	t.Helper()
	j, err := rule.New()
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// known is a run of which everything is known; unknown is one of which nothing is.
func known() *provision.Run {
	north, east := 48.1, 11.5
	return &provision.Run{
		Known: provision.Known{Identity: provision.KnownIdentity{ID: "p-1", Serial: "P-1", MAC: "02:00:00:00:00:01", Model: "X2", Maker: "acme", Type: "pump", Owner: "press"},
			Claim: provision.KnownClaim{ID: "c1", Owner: "press", Type: "pump", Batch: "2026-03", Temporary: true}},
		Request:  provision.Request{Serial: "P-1", MAC: "02:00:00:00:00:01", Model: "X2", Protocol: "mqtt", Facts: map[string]string{"firmware": "1.2", "odd name": "x"}},
		Location: &twin.Location{Region: "eu", Site: "hall 3", Latitude: &north, Longitude: &east},
		Answer:   map[string]any{"grade": "a", "score": 7.5, "ok": true, "lab": map[string]any{"room": "7"}},
		Decision: &provision.Decision{Trigger: provision.Approved, By: "user:ada", Reason: "it is ours", At: time.Date(2026, 3, 21, 10, 0, 0, 0, time.UTC)},
	}
}

func TestConditions(t *testing.T) {
	j := judge(t)
	for expr, want := range map[string]struct{ known, unknown bool }{
		`true`:                               {true, true},
		`identity.serial == "P-1"`:           {true, false},
		`identity.maker in ["acme", "bolt"]`: {true, false},
		`identity.owner == ""`:               {false, true},
		`claim.temporary`:                    {true, false},
		`claim.batch.startsWith("2026")`:     {true, false},
		`request.model.matches("^X[0-9]$")`:  {true, false},
		`request.protocol == "mqtt"`:         {true, false},
		`facts.firmware == "1.2"`:            {true, false},
		`facts["odd name"] == "x"`:           {true, false},
		`facts.nothing == ""`:                {true, true},
		`has(facts.firmware)`:                {true, false},
		`has(facts.nothing)`:                 {false, false},
		`"firmware" in facts`:                {true, false},
		`facts.size() == 2`:                  {true, false},
		`facts.exists(k, k == "firmware")`:   {true, false},
		`facts == {}`:                        {false, true},
		`location.region == "eu"`:            {true, false},
		`has(location.latitude)`:             {true, false},
		`has(location.latitude) && location.latitude > 48.0 && location.longitude < 12.0`: {true, false},
		`answer.grade == "a"`:                                        {true, false},
		`has(answer.score) && answer.score >= 7`:                     {true, false},
		`answer.ok == true`:                                          {true, false},
		`answer.lab.room == "7"`:                                     {true, false},
		`has(answer.lab) && answer.lab.nothing == ""`:                {true, false},
		`decision.by == "user:ada"`:                                  {true, false},
		`timestamp(decision.at) > timestamp("2026-01-01T00:00:00Z")`: {true, false},
	} {
		if err := j.Compile(expr); err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		for name, tt := range map[string]struct {
			r    *provision.Run
			want bool
		}{"known": {known(), want.known}, "unknown": {&provision.Run{}, want.unknown}} {
			got, err := j.Holds(expr, tt.r.Facts())
			if got != tt.want || err != nil && name == "known" {
				t.Errorf("%s of one that is %s: %t, %v; want %t", expr, name, got, err, tt.want)
			}
		}
	}
}

func TestConditionsThatCannotBe(t *testing.T) {
	j := judge(t)
	for name, tt := range map[string]struct {
		expr         string
		line, column int
		word         string
	}{
		"not finished":            {`identity.serial ==`, 1, 19, "Syntax error"},
		"of several lines":        {"true &&\n  identity.serail == \"x\"", 2, 11, "serail"},
		"an unknown variable":     {`device.serial == "x"`, 1, 1, "undeclared"},
		"an unknown field":        {`claim.colour == "red"`, 1, 6, "colour"},
		"numbers and texts":       {`identity.serial > 5`, 1, 17, "no matching overload"},
		"neither true nor false":  {`identity.serial`, 1, 1, "true or false"},
		"an unknown function":     {`open("/etc/passwd") == ""`, 1, 5, "undeclared"},
		"empty":                   {" ", 1, 1, "empty"},
		"= for ==":                {`facts.firmware = "2"`, 1, 16, "did you mean == in place of =?"},
		"= for == in a line":      {"true &&\n facts.firmware=\"2\"", 2, 16, "did you mean == in place of =?"},
		"and for &&":              {`identity.maker == "ä" and facts.x == "b"`, 1, 23, "did you mean && in place of and?"},
		"or for ||":               {`claim.temporary or true`, 1, 17, "did you mean || in place of or?"},
		"& for &&":                {`claim.temporary & true`, 1, 17, "did you mean && in place of &?"},
		"not for !":               {`not claim.temporary`, 1, 5, "did you mean ! in place of not?"},
		"<> for !=":               {`facts.x <> "2"`, 0, 0, "did you mean != in place of <>?"},
		"=> for >=":               {`answer.score => 2`, 1, 14, "did you mean >= in place of =>?"},
		"very deep":               {strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300), 0, 0, "recursion"},
		"very long":               {`"` + strings.Repeat("x", 2000) + `" == ""`, 0, 0, "size"},
		"an object of one's own":  {`castor.claim{id: "x"}.id == "x"`, 0, 0, ""},
		"bytes that are no UTF-8": {"\xff\xfe == 'x'", 0, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := j.Compile(tt.expr)
			if name == "an object of one's own" && err == nil {
				if holds, err := j.Holds(tt.expr, known().Facts()); holds || err == nil {
					t.Errorf("it holds: %t, %v", holds, err)
				}
				return
			}
			var at *provision.ExprError
			if !errors.As(err, &at) || !strings.Contains(err.Error(), tt.word) {
				t.Fatalf("got %v, want %q", err, tt.word)
			}
			if tt.line != 0 && (at.Line != tt.line || at.Column != tt.column) {
				t.Errorf("at %d:%d, want %d:%d (%s)", at.Line, at.Column, tt.line, tt.column, at.Text)
			}
			if holds, err := j.Holds(tt.expr, known().Facts()); holds || err == nil {
				t.Errorf("it holds: %t, %v", holds, err)
			}
		})
	}
}

// What compiles and cannot be judged does not hold, says why, and costs little.
func TestConditionsThatCannotBeJudged(t *testing.T) {
	j := judge(t)
	numbers := "[0,1,2,3,4,5,6,7,8,9]"
	for name, expr := range map[string]string{
		"what cannot be compared": `answer.grade > 3`,
		"no boolean":              `answer.grade`,
		"division by zero":        `1 / (facts.size() - 2) == 1`,
		"very much work": numbers + `.all(a, ` + numbers + `.all(b, ` + numbers + `.all(c, ` + numbers + `.all(d, ` + numbers + `.all(e, ` + numbers +
			`.all(f, a + b + c + d + e + f >= 0))))))`,
		"a pattern that is none": `facts.firmware.matches("(")`,
	} {
		t.Run(name, func(t *testing.T) {
			if name != "a pattern that is none" {
				if err := j.Compile(expr); err != nil {
					t.Fatal(err)
				}
			}
			begin := time.Now()
			holds, err := j.Holds(expr, known().Facts())
			if holds || err == nil {
				t.Errorf("%t, %v", holds, err)
			}
			if d := time.Since(begin); d > 3*time.Second {
				t.Errorf("it took %s", d)
			}
		})
	}
}

func TestHostileFacts(t *testing.T) {
	j := judge(t)
	long := strings.Repeat("a", 1<<20)
	for name, facts := range map[string]map[string]any{
		"none":             nil,
		"of other shapes":  {"identity": 7, "claim": "x", "facts": []int{1}, "answer": map[int]int{}, "location": nil},
		"of other types":   {"identity": map[string]any{"serial": []string{"x"}}, "claim": map[string]any{"temporary": "yes"}, "location": map[string]any{"latitude": struct{}{}}},
		"channels":         {"answer": map[string]any{"grade": make(chan int), "score": func() {}}},
		"long":             {"facts": map[string]string{"firmware": long}, "request": map[string]any{"model": long}},
		"bytes, not texts": {"facts": map[string]string{"firmware": "\xff"}, "request": map[string]any{"model": "\xff\xfe"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, expr := range []string{`identity.serial == "x"`, `claim.temporary`, `facts.firmware.matches("(a|aa)+$")`, `answer.grade == "a"`,
				`answer.score > 1`, `location.latitude > 0.0`, `request.model.size() > 3`, `facts.exists(k, facts[k] == "x")`} {
				if holds, err := j.Holds(expr, facts); holds && name != "long" && name != "bytes, not texts" {
					t.Errorf("%s holds, %v", expr, err)
				}
			}
		})
	}
}

func TestManyJudgeAtOnce(t *testing.T) {
	j := judge(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 1500 {
				expr := `facts.firmware == "1.2" && "` + strings.Repeat("y", i%1200/8) + `" != "x"`
				if holds, err := j.Holds(expr, known().Facts()); !holds || err != nil {
					t.Errorf("%t, %v", holds, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func FuzzConditions(f *testing.F) {
	for _, s := range []string{`identity.serial == "P-1"`, `facts["x"].matches("(a+)+")`, `answer.a.b[0] > 1.0`, `[1,2].map(x, x*2).size() == 2`, `has(location.latitude)`,
		`castor.claim{}.id == ""`, `timestamp(decision.at) < timestamp("x")`, `"\xff" in facts`, `duration("1h") > duration(facts.x)`} {
		f.Add(s, "firmware", "1.2")
	}
	j := judge(f)
	f.Fuzz(func(t *testing.T, expr, name, value string) {
		r := known()
		r.Request.Facts, r.Answer = map[string]string{name: value}, map[string]any{name: value, "n": 1.5, "l": []any{value}}
		err := j.Compile(expr)
		if holds, judged := j.Holds(expr, r.Facts()); err != nil && (holds || judged == nil) {
			t.Errorf("%q does not compile (%v), yet it holds: %t", expr, err, holds)
		}
	})
}
