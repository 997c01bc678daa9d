package house

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/metrics"
	"go.yaml.in/yaml/v3"
)

var metricName = regexp.MustCompile(`castor_[a-z_]*[a-z](\{[^}]*\})?`)

// familyOf is the family that a name in an expression means; of a histogram that is one of its three series.
func familyOf(name string) (metrics.Family, bool) {
	for _, f := range metrics.Families() {
		if name == f.Name && f.Kind != metrics.Histogram {
			return f, true
		}
		rest, ok := strings.CutPrefix(name, f.Name)
		if ok && f.Kind == metrics.Histogram && slices.Contains([]string{"_bucket", "_sum", "_count"}, rest) {
			return f, true
		}
	}
	return metrics.Family{}, false
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// An alert on a metric that is not there never fires, and nobody notices.
func TestAlertsNameMetricsThatExist(t *testing.T) {
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr         string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(readFile(t, "infra/monitoring/castor.rules.yml")), &file); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			n++
			if !slices.Contains([]string{"warning", "critical"}, r.Labels["severity"]) || r.Annotations["summary"] == "" || r.Annotations["remedy"] == "" {
				t.Errorf("%s must have a severity, a summary and a remedy", r.Alert)
			}
			if strings.Count(r.Expr, "(") != strings.Count(r.Expr, ")") {
				t.Errorf("%s: the parentheses of %s do not match", r.Alert, r.Expr)
			}
			var known []string
			for _, m := range metricName.FindAllString(r.Expr, -1) {
				name, matchers, _ := strings.Cut(m, "{")
				f, ok := familyOf(name)
				if !ok {
					t.Errorf("%s: there is no metric %s", r.Alert, name)
					continue
				}
				known = append(known, f.Labels...)
				for _, l := range regexp.MustCompile(`(\w+)\s*[=!]`).FindAllStringSubmatch(matchers, -1) {
					if !slices.Contains(f.Labels, l[1]) {
						t.Errorf("%s: metric %s has no label %s", r.Alert, name, l[1])
					}
				}
			}
			known = append(known, "le", "instance", "job")
			for _, by := range regexp.MustCompile(`by \(([^)]*)\)`).FindAllStringSubmatch(r.Expr, -1) {
				for l := range strings.SplitSeq(by[1], ",") {
					if !slices.Contains(known, strings.TrimSpace(l)) {
						t.Errorf("%s: no metric of it has a label %s", r.Alert, l)
					}
				}
			}
			for _, l := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(r.Annotations["summary"], -1) {
				if !slices.Contains(known, l[1]) {
					t.Errorf("%s: its summary names label %s, which no metric of it has", r.Alert, l[1])
				}
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d alerts were read", n)
	}
}

// The guide lists every metric with its labels, and none that is not there.
func TestTheGuideListsEveryMetric(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `(castor_[a-z_]+)` \\| ([^|]*)\\|")
	listed := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(readFile(t, "docs/monitoring.md"), -1) {
		listed[m[1]] = strings.TrimSpace(m[2])
	}
	for _, f := range metrics.Families() {
		labels, ok := listed[f.Name]
		if !ok {
			t.Errorf("docs/monitoring.md does not list %s", f.Name)
		} else if want := strings.Join(f.Labels, ", "); labels != want {
			t.Errorf("docs/monitoring.md: %s has labels %q, want %q", f.Name, labels, want)
		}
		delete(listed, f.Name)
	}
	for name := range listed {
		t.Errorf("docs/monitoring.md lists %s, which does not exist", name)
	}
}
