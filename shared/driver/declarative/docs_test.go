package declarative

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/unit"
)

const guide = "../../../docs/drivers-declarative.md"

var (
	example = regexp.MustCompile("(?s)```yaml\n(.*?)```\n\n```text\n(.*?)```")
	route   = regexp.MustCompile(` (port|topic) (\S+)$`)
)

// Each document in the guide is taken, and does with the messages beside it what the guide says.
func TestGuide(t *testing.T) {
	b, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	s, lines := schema(t), 0
	blocks := example.FindAllStringSubmatch(string(b), -1)
	if all := strings.Count(string(b), "```yaml"); len(blocks) != all || all < 8 {
		t.Errorf("%d documents, %d of them with messages", all, len(blocks))
	}
	for _, block := range blocks {
		p := parse(t, block[1])
		if err := Check([]byte(block[1])); err != nil {
			t.Errorf("%v\n%s", err, block[1])
		}
		if err := s.Validate(asJSON(t, block[1])); err != nil {
			t.Errorf("%v\n%s", err, block[1])
		}
		for line := range strings.SplitSeq(strings.TrimSpace(block[2]), "\n") {
			asked, want, _ := strings.Cut(line, " → ")
			if got := answer(t, p, strings.TrimSpace(asked)); got != want {
				t.Errorf("%s\ngot  %s\nwant %s", asked, got, want)
			}
			lines++
		}
	}
	if lines < 20 {
		t.Errorf("only %d messages were found", lines)
	}
}

// answer runs a line of the guide: uplink bytes, downlink data or normalize data, and where it came in.
func answer(t *testing.T, p *Program, line string) string {
	op, what, _ := strings.Cut(line, " ")
	c := driver.Call{Op: driver.DecodeUplink, Variables: m2{"device": "dev-1"}}
	if to := route.FindStringSubmatch(what); to != nil {
		what = strings.TrimSpace(what[:len(what)-len(to[0])])
		if c.Topic = to[2]; to[1] == "port" {
			c.Topic = ""
			c.Port, _ = strconv.Atoi(to[2])
		}
	}
	switch op {
	case "uplink":
		if text, is := strings.CutPrefix(what, "'"); is {
			c.Bytes = []byte(strings.ReplaceAll(strings.TrimSuffix(text, "'"), `\n`, "\n"))
		} else {
			c.Bytes = unhex(t, what)
		}
	case "downlink", "normalize":
		if c.Op = driver.EncodeDownlink; op == "normalize" {
			c.Op = driver.NormalizeUplink
		}
		if err := json.Unmarshal([]byte(what), &c.Data); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	default:
		t.Fatalf("%s is neither uplink, downlink nor normalize", line)
	}
	r := run(t, p, c)
	got := strings.ReplaceAll(told(r), "}at", "} at")
	if r.OK() && op == "downlink" {
		if got = string(r.Bytes); r.Port != 0 {
			got = fmt.Sprintf("%s port %d", hex.EncodeToString(r.Bytes), r.Port)
		}
		if r.Topic != "" {
			got += " topic " + r.Topic
		}
	}
	return got
}

// The guide's table of units is the one that conversions use.
func TestGuideHasTheUnits(t *testing.T) {
	b, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	if table := unitTable(); !strings.Contains(string(b), table) {
		t.Errorf("the guide must have\n%s", table)
	}
}

func unitTable() string {
	var rows []string
	for q, codes := range unit.Quantities() {
		for i := range codes {
			codes[i] = "`" + codes[i] + "`"
		}
		sort.Strings(codes)
		rows = append(rows, fmt.Sprintf("| %s | %s |\n", q, strings.Join(codes, " ")))
	}
	sort.Strings(rows)
	return strings.Join(rows, "")
}
