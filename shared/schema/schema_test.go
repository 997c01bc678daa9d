package schema

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestValuesAreJudged(t *testing.T) {
	s, err := Compile(json.RawMessage(`{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","required":["speed"],"additionalProperties":false,
		"properties":{"speed":{"$ref":"#/$defs/speed"},"mode":{"enum":["eco","boost"]},"a/b":{"type":"string","pattern":"^x+$"},"$ref":{"type":"boolean"}},
		"$defs":{"speed":{"type":"number","minimum":0,"maximum":100,"multipleOf":0.1}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for value, says := range map[string]string{
		`{"speed":12.3}`:                    "",
		`{"speed":100,"mode":"eco"}`:        "",
		`{"speed":1,"$ref":true}`:           "",
		``:                                  "got null, want object",
		`{}`:                                "missing property 'speed'",
		`{"speed":"fast"}`:                  "/speed: got string, want number",
		`{"speed":101}`:                     "/speed: maximum: got 101, want 100",
		`{"speed":1,"mode":"x"}`:            "/mode: value must be one of 'eco', 'boost'",
		`{"speed":1,"a/b":"y"}`:             "/a~1b: 'y' does not match pattern '^x+$'",
		`{"speed":1,"more":1}`:              "additional properties 'more' not allowed",
		`{"speed":-1,"mode":7,"$ref":"no"}`: "; ",
		`{"speed":1e400}`:                   "cannot unmarshal number",
	} {
		err := s.Check(json.RawMessage(value))
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says) || strings.ContainsAny(err.Error(), "\n")) {
			t.Errorf("%s: %v, want it to say %q in one line", value, err, says)
		}
	}
}

func TestSchemasThatAreNotTaken(t *testing.T) {
	deep := strings.Repeat(`{"items":`, 40) + `{}` + strings.Repeat(`}`, 40)
	double := `{"$ref":"#/$defs/a0","$defs":{`
	for i := range 14 {
		double += fmt.Sprintf(`"a%d":{"allOf":[{"$ref":"#/$defs/a%d"},{"$ref":"#/$defs/a%d"}]},`, i, i+1, i+1)
	}
	double += `"a14":{"type":"string"}}}`
	for name, c := range map[string]struct{ schema, says string }{
		"no JSON":                         {`{`, "is no JSON"},
		"a number beyond all":             {`{"minimum":1e999}`, "is no JSON"},
		"a list":                          {`[]`, "must be a schema"},
		"a type that there is not":        {`{"type":"int"}`, "/type"},
		"words for a bound":               {`{"minimum":"0"}`, "/minimum"},
		"properties that are a list":      {`{"properties":[]}`, "/properties"},
		"another dialect":                 {`{"$schema":"http://json-schema.org/draft-07/schema#"}`, "2020-12"},
		"a name of its own":               {`{"$id":"http://x/y"}`, "#/$id is not taken"},
		"an anchor":                       {`{"items":{"$anchor":"a"}}`, "#/items/$anchor is not taken"},
		"a schema elsewhere":              {`{"$ref":"https://example.com/s.json"}`, "of this schema"},
		"a file":                          {`{"$ref":"file:///etc/passwd"}`, "of this schema"},
		"a ref that is no text":           {`{"$ref":7}`, "of this schema"},
		"a ref to nothing":                {`{"$ref":"#/$defs/a"}`, "there is no"},
		"a ref to half a list":            {`{"allOf":[{}],"$ref":"#/allOf/1"}`, "there is no"},
		"itself":                          {`{"items":{"$ref":"#"}}`, "of this schema"},
		"itself by its name":              {`{"$ref":"#/$defs/a","$defs":{"a":{"items":{"$ref":"#/$defs/a"}}}}`, "leads back to itself"},
		"itself around a corner":          {`{"$ref":"#/$defs/a","$defs":{"a":{"not":{"$ref":"#/$defs/b"}},"b":{"not":{"$ref":"#/$defs/a"}}}}`, "leads back to itself"},
		"an escaped way to itself":        {`{"properties":{"a b":{"items":{"$ref":"#/properties/a%20b"}}}}`, "leads back to itself"},
		"a thousand levels":               {deep, "nested deeper"},
		"what doubles 14 times":           {double, "make it simpler"},
		"a regular expression that is no": {`{"pattern":"("}`, "missing closing"},
		"look-around":                     {`{"pattern":"(?=a)b"}`, "RE2"},
		"a long regular expression":       {`{"pattern":"` + strings.Repeat("a", 257) + `"}`, "at most 256"},
		"a large regular expression":      {`{"patternProperties":{"^(` + strings.Repeat("a{1000}", 30) + `)$":{}}}`, "smaller numbers"},
	} {
		begin := time.Now()
		_, err := Compile(json.RawMessage(c.schema))
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.ContainsAny(err.Error(), "\n") {
			t.Errorf("%s: %v, want it to say %q in one line", name, err, c.says)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%s: took %s", name, took)
		}
	}
}

// A schema of many parts and a value of many parts are each taken, and cost no more together.
func TestJudgingIsBounded(t *testing.T) {
	parts := strings.TrimSuffix(strings.Repeat(`{"items":{"enum":[1,{}]}},`, 600), ",")
	large, err := Compile(json.RawMessage(`{"anyOf":[` + parts + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	few, many := `[`+strings.TrimSuffix(strings.Repeat("7,", 70), ",")+`]`, `[`+strings.TrimSuffix(strings.Repeat(`{"a":7},`, 8_000), ",")+`]`
	if err := large.Check(json.RawMessage(many)); err == nil || !strings.Contains(err.Error(), "has 16001 values") {
		t.Errorf("600 schemas for 8,000 values: %v", err)
	}
	if err := large.Check(json.RawMessage(few)); err == nil || len(err.Error()) > 300 {
		t.Errorf("4,200 faults are told as %v", err)
	}
	small, err := Compile(json.RawMessage(`{"uniqueItems":true}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := small.Check(json.RawMessage(many)); err == nil || !strings.Contains(err.Error(), "items at 0 and 1 are equal") {
		t.Errorf("8,000 values of one kind: %v", err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	var c Cache
	first, err := c.Compile(json.RawMessage(`{"maximum":0}`))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Compile(json.RawMessage(`{"maximum":0}`)); err != nil || again != first {
		t.Errorf("compiled twice: %v", err)
	}
	for i := range maxKept + 10 {
		if _, err := c.Compile(json.RawMessage(fmt.Sprintf(`{"maximum":%d}`, i))); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.has) != maxKept {
		t.Errorf("keeps %d schemas, want %d", len(c.has), maxKept)
	}
	if _, err := c.Compile(json.RawMessage(`{"type":"x"}`)); err == nil || len(c.has) != maxKept {
		t.Errorf("what is no schema is kept: %v", err)
	}
}

// Whatever is taken as a schema judges whatever comes without trouble.
func FuzzSchema(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"$ref":"#/$defs/b"}},"$defs":{"b":{"pattern":"^a"}}}`, `{"a":"b"}`)
	f.Add(`{"anyOf":[{"uniqueItems":true},{"contains":{"const":1},"minContains":2}],"unevaluatedItems":false}`, `[1,1,[2,{"a":null}]]`)
	f.Add(`{"if":{"multipleOf":0.01},"then":{"exclusiveMaximum":1e308},"else":{"dependentRequired":{"a":["b"]}}}`, `1e-300`)
	f.Add(`{"$ref":"#/x/y","x":{"y":{"$ref":"#/x"}}}`, `null`)
	f.Fuzz(func(t *testing.T, text, value string) {
		if len(text) > 16_384 || len(value) > 65_536 {
			return
		}
		s, err := Compile(json.RawMessage(text))
		if err != nil {
			return
		}
		if err := s.Check(json.RawMessage(value)); err != nil && err.Error() == "" {
			t.Errorf("%s does not fit %s, and nobody says why", value, text)
		}
	})
}
