package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// An attack is what is sent instead of what was meant: an id in the path, a query, headers or a body.
type attack struct {
	what      string
	id, query string
	header    http.Header
	body      []byte
}

// attacks are all that are sent to every operation.
func attacks() (all []attack) {
	for what, id := range map[string]string{
		"an id of dots": "..", "hidden dots": "%2e%2e", "dots and encoded slashes": "..%2f..%2fusers", "an encoded slash": "a%2Fb", "a backslash": "..%5c..%5cetc",
		"NUL": "a%00b", "no id": "", "two slashes": "//", "a slash behind": "a/", "a very long id": strings.Repeat("x", 9000), "invalid UTF-8": "%ff%fe%c0%af",
		"a line break": "a%0d%0aX-Evil:%201", "a right-to-left mark": "%e2%80%ae%00", "a quote": "%22'%3b--", "an operator": "%7b%22$ne%22:1%7d", "a plus and a space": "a+b%20c",
	} {
		if id == "" {
			id = "/"
		}
		all = append(all, attack{what: "a path with " + what, id: id})
	}
	for what, q := range map[string]string{
		"huge numbers": "limit=1e999&cursor=%00%ff", "negative numbers": "limit=-1&interval=-1s&from=-1", "a number beyond all": "limit=99999999999999999999",
		"a very long value": "cursor=" + strings.Repeat("A", 50_000), "a bad escape": "a=%zz", "semicolons": ";;;a;b=1", "ten thousand of one": strings.Repeat("limit=1&", 7_000),
		"invalid UTF-8": "cursor=%ff%fe&name=%c0%af&twin=%ff", "operators": "twin[$ne]=1&id=%7b%22$gt%22:%22%22%7d", "times that are none": "from=99999-99-99T99:99:99Z&to=%00",
		"times out of all range": "from=-292277022399-01-01T00:00:00Z&to=999999999999-12-31T00:00:00Z",
		"a forged cursor":        "cursor=eyJhIjoiYiJ9", "a broken cursor": "cursor=%21%21%21",
	} {
		all = append(all, attack{what: "a query with " + what, query: "?" + q})
	}
	many := http.Header{}
	for i := range 1000 {
		many.Set(fmt.Sprintf("X-Flood-%d", i), "x")
	}
	for what, h := range map[string]http.Header{
		"a path of our own":         {"X-Castor-Path": {"/"}, "X-Castor-Planned": {"\xff"}},
		"a thousand headers":        many,
		"an If-Match that is none":  {"If-Match": {`"` + strings.Repeat("9", 1000) + `", W/"x", *,`}},
		"a token of 40 KiB":         {"Authorization": {"Bearer " + strings.Repeat("a.", 20_000)}},
		"a token of no signature":   {"Authorization": {"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2VyOmFkbWluIn0."}},
		"another scheme":            {"Authorization": {"Basic AAAA"}},
		"a user's token that is no": {"X-Castor-For": {strings.Repeat("x", 10_000)}},
		"a trace that is none":      {"Traceparent": {"00-\xff-1"}, "X-Call-Id": {strings.Repeat("%", 500)}},
	} {
		all = append(all, attack{what: what, header: h})
	}
	asJSON, asCBOR := http.Header{"Content-Type": {"application/json"}}, http.Header{"Content-Type": {"application/cbor"}}
	for what, b := range bodies {
		all = append(all, attack{what: "a body: " + what, header: asJSON, body: []byte(b)})
	}
	for what, b := range bombs {
		all = append(all, attack{what: "CBOR: " + what, header: asCBOR, body: []byte(b)})
	}
	for _, ct := range []string{"text/plain", "multipart/form-data; boundary=x", "application/json; charset=utf-16", "application/x-www-form-urlencoded", "\xff/\xff", "image/png", strings.Repeat("a/", 5000)} {
		all = append(all, attack{what: fmt.Sprintf("a content type of %.20q", ct), header: http.Header{"Content-Type": {ct}}, body: []byte(`{"a":1}`)})
	}
	all = append(all, attack{what: "a body that says it is compressed", header: http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, body: []byte("\x1f\x8b\x08\x00")})
	slices.SortFunc(all, func(a, b attack) int { return strings.Compare(a.what, b.what) })
	return all
}

const levels = 100_000

var bodies = map[string]string{
	"nothing": "", "white space": strings.Repeat(" ", 10_000), "null": "null", "an array": "[]", "an empty object": "{}", "a string": `"x"`, "a number": "1", "half an object": `{"a"`,
	"arrays in arrays":           strings.Repeat("[", levels) + strings.Repeat("]", levels),
	"arrays that end not":        strings.Repeat("[", levels),
	"objects in objects":         strings.Repeat(`{"a":`, levels) + "1" + strings.Repeat("}", levels),
	"objects that end not":       strings.Repeat(`{"a":`, levels),
	"one key many times":         "{" + strings.Repeat(`"name":"a",`, 5_000) + `"name":"b"}`,
	"many keys":                  "{" + manyKeys() + `"z":1}`,
	"a number of 100,000 digits": `{"a":` + strings.Repeat("9", levels) + `}`, "a huge exponent": `{"a":1e999999999}`, "not a number": `{"a":NaN}`,
	"invalid UTF-8": "{\"name\":\"\xff\xfe\xc0\xaf\"}", "half a surrogate": `{"name":"\ud800"}`, "a NUL in a string": `{"name":"a\u0000b"}`, "a NUL": "{\"name\":\"a\x00b\"}",
	"something behind": `{} {}`, "a byte order mark": "\xef\xbb\xbf{}", "a long string": `{"name":"` + strings.Repeat("x", 900_000) + `"}`, "more than a MiB": `{"name":"` + strings.Repeat("x", 1_100_000) + `"}`,
	"an operator": `{"id":{"$ne":null},"$where":"sleep(1000)"}`, "a prototype": `{"__proto__":{"a":1},"constructor":null}`,
}

func manyKeys() string {
	var b strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&b, `"k%d":1,`, i)
	}
	return b.String()
}

// bombs are CBOR that is small and says it is large.
var bombs = map[string]string{
	"nothing": "", "an array of 2^63": "\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", "a map of 2^63": "\xbb\x7f\xff\xff\xff\xff\xff\xff\xff", "a string of 2^63": "\x7b\x7f\xff\xff\xff\xff\xff\xff\xff",
	"bytes of 2^63": "\x5b\x7f\xff\xff\xff\xff\xff\xff\xff", "arrays in arrays": strings.Repeat("\x81", levels), "arrays without an end": strings.Repeat("\x9f", levels),
	"maps in maps": strings.Repeat("\xa1\x61a", levels), "tags on tags": strings.Repeat("\xc1", levels) + "\x00", "a bignum": "\xc2\x5a\x00\x0f\x00\x00" + strings.Repeat("\xff", 0xf0000),
	"an array of 130,000 arrays": "\x9a\x00\x01\xfb\xd0" + strings.Repeat("\x80", 130_000), "invalid UTF-8": "\xa1\x61\xff\x01", "one key twice": "\xa2\x61a\x01\x61a\x02",
	"a time that is none": "\xa1\x64time\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00", "JSON": `{"messages":[]}`, "a break alone": "\xff", "reserved": "\x1c\x1d\x1e",
	"1,000,000 small things": "\x9a\x00\x0f\x42\x40" + strings.Repeat("\xf6", 1_000_000), "batches of nothing": "\xa1\x68messages\x99\x27\x10" + strings.Repeat("\xa0", 10_000),
}

// A mutation is a body that is right but for one field.
type mutation struct {
	what string
	body []byte
}

var values = map[string]string{
	"null": "null", "a negative number": "-1", "the largest number": "9223372036854775807", "a number beyond it": "1e400", "an empty string": `""`, "a NUL": `"a\u0000b"`,
	"a long string": `"` + strings.Repeat("x", 200_000) + `"`, "an empty array": "[]", "an empty object": "{}", "true": "true", "dots": `"../../x"`, "white space": `" \t\n"`,
	"a nest": strings.Repeat("[", 5_000) + strings.Repeat("]", 5_000), "nulls": "[null,null]", "an array of many": "[" + strings.Repeat(`"a",`, 20_000) + `"a"]`,
	"objects of nothing": "[{},{}]", "a key of nothing": `{"":""}`, "a time out of range": `"9999-12-31T23:59:60Z"`, "the year 0": `"0000-01-01T00:00:00Z"`,
}

// mutations are made from what openapi.yaml says of an operation's body.
func (m *matrix) mutations(op operation) (all []mutation) {
	body := m.doc.Paths.Find(op.path).GetOperation(op.method).RequestBody.Value
	media := body.Content.Get("application/json")
	if media == nil || media.Schema == nil {
		return nil
	}
	schema := media.Schema.Value
	list := schema.Type.Is("array")
	if list {
		schema = schema.Items.Value
	}
	right := map[string]json.RawMessage{}
	properties := propertiesOf(schema, right)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		for _, what := range slices.Sorted(maps.Keys(values)) {
			b := maps.Clone(right)
			b[name] = json.RawMessage(values[what])
			var text bytes.Buffer
			if list {
				text.WriteByte('[')
			}
			text.WriteByte('{')
			for i, k := range slices.Sorted(maps.Keys(b)) {
				if i > 0 {
					text.WriteByte(',')
				}
				fmt.Fprintf(&text, "%q:%s", k, b[k])
			}
			text.WriteByte('}')
			if list {
				text.WriteByte(']')
			}
			all = append(all, mutation{fmt.Sprintf("field %s is %s", name, what), text.Bytes()})
		}
	}
	return all
}

// propertiesOf collects the properties of a schema and of what it is made of; of those that are required, samples go into right.
func propertiesOf(s *openapi3.Schema, right map[string]json.RawMessage) openapi3.Schemas {
	all := openapi3.Schemas{}
	for _, part := range s.AllOf {
		maps.Copy(all, propertiesOf(part.Value, right))
	}
	for name, p := range s.Properties {
		all[name] = p
		if slices.Contains(s.Required, name) {
			right[name] = sample(p.Value, 0)
		}
	}
	return all
}

// sample is a value that a schema allows, or nearly.
func sample(s *openapi3.Schema, depth int) json.RawMessage {
	for _, given := range []any{s.Example, s.Default} {
		if given != nil {
			b, _ := json.Marshal(given)
			return b
		}
	}
	switch {
	case len(s.Enum) > 0:
		b, _ := json.Marshal(s.Enum[0])
		return b
	case s.Type.Is("string") && s.Format == "date-time":
		return json.RawMessage(`"2026-01-01T00:00:00Z"`)
	case s.Type.Is("string"):
		return json.RawMessage(`"pump"`)
	case s.Type.Is("integer"), s.Type.Is("number"):
		return json.RawMessage("1")
	case s.Type.Is("boolean"):
		return json.RawMessage("false")
	case s.Type.Is("array"):
		if depth < 4 && s.Items != nil {
			return json.RawMessage("[" + string(sample(s.Items.Value, depth+1)) + "]")
		}
		return json.RawMessage("[]")
	}
	right := map[string]json.RawMessage{}
	if depth < 4 {
		propertiesOf(s, right)
	}
	b, _ := json.Marshal(right)
	return b
}
