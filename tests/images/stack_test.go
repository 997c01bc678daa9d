package images_test

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/tests/images"
	"go.yaml.in/yaml/v3"
)

func read(t *testing.T, path ...string) string {
	t.Helper()
	root, err := images.Root()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// environment is what a function gets from its files and its entry.
func environment(t *testing.T, f images.Function) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, file := range f.EnvironmentFile {
		var e struct{ Environment map[string]string }
		if err := yaml.Unmarshal([]byte(read(t, file)), &e); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for k, v := range e.Environment {
			all[k] = v
		}
	}
	for k, v := range f.Environment {
		all[k] = v
	}
	return all
}

// Every entry says how its function scales, what it may use, how it is looked after, and no secret but by its name.
func TestStack(t *testing.T) {
	for name, f := range stack(t).Functions {
		number := func(label string) int {
			n, err := strconv.Atoi(f.Labels[label])
			if err != nil {
				t.Errorf("%s: label %s is %q", name, label, f.Labels[label])
			}
			return n
		}
		if least, most := number("com.openfaas.scale.min"), number("com.openfaas.scale.max"); least < 2 || most < least {
			t.Errorf("%s: %d to %d replicas; any of them may be killed, so two at least", name, least, most)
		}
		if number("com.openfaas.scale.target") < 1 || !regexp.MustCompile(`^(cpu|capacity|rps)$`).MatchString(f.Labels["com.openfaas.scale.type"]) || f.Labels["com.openfaas.scale.zero"] != "false" {
			t.Errorf("%s: it is not said when it scales, or it goes to zero: %v", name, f.Labels)
		}
		for annotation, want := range map[string]string{"com.openfaas.health.http.path": "/_/health", "com.openfaas.ready.http.path": "/_/ready",
			"prometheus.io.scrape": "true", "prometheus.io.port": "9102", "prometheus.io.path": "/metrics"} {
			if f.Annotations[annotation] != want {
				t.Errorf("%s: annotation %s is %q, want %q", name, annotation, f.Annotations[annotation], want)
			}
		}
		if !f.ReadOnly || f.Image != "castor/"+name+":latest" || f.Requests.CPU == "" || f.Requests.Memory == "" || f.Limits.Memory == "" {
			t.Errorf("%s: a read-only root, image castor/%s, requests and a limit of memory are wanted: %+v", name, name, f)
		}
		env := environment(t, f)
		mib := func(s, unit string) int {
			n, err := strconv.Atoi(strings.TrimSuffix(s, unit))
			if err != nil {
				t.Errorf("%s: %q is no amount in %s", name, s, unit)
			}
			return n
		}
		if mib(env["GOMEMLIMIT"], "MiB") >= mib(f.Limits.Memory, "Mi") {
			t.Errorf("%s: GOMEMLIMIT %s is not below the limit of %s", name, env["GOMEMLIMIT"], f.Limits.Memory)
		}
		for k, v := range env {
			if u, err := url.Parse(v); err == nil && u.User != nil || regexp.MustCompile(`(?i)secret|password|token|_key`).MatchString(k) {
				t.Errorf("%s: the environment has a secret in %s; secrets are files, by name", name, k)
			}
		}
		has := map[string]bool{}
		for _, s := range f.Secrets {
			has[s] = true
		}
		for _, s := range []string{"castor-mongo-url", "castor-nats-token", platform.PartSecret(name, "")} {
			if !has[s] {
				t.Errorf("%s: it needs secret %s", name, s)
			}
		}
		// Only who uses the object store gets its keys.
		if uses := usesObjects(t, f); uses != (env["CASTOR_S3_ENDPOINT"] != "") || uses != has["castor-s3-access"] || uses != has["castor-s3-secret"] {
			t.Errorf("%s: uses the object store: %t; environment_file infra/objects.yml and secrets castor-s3-access and castor-s3-secret go with that, and only with that", name, uses)
		}
	}
}

func usesObjects(t *testing.T, f images.Function) bool {
	t.Helper()
	root, err := images.Root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, f.Handler, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v", f.Handler, err)
	}
	for _, file := range files {
		if b, err := os.ReadFile(file); err != nil {
			t.Fatal(err)
		} else if !strings.HasSuffix(file, "_test.go") && strings.Contains(string(b), "p.Objects.") {
			return true
		}
	}
	return false
}

// A call ends in the function first, then in the watchdog, then in the gateway, and a pod has the time to finish what it took.
func TestTimesAgree(t *testing.T) {
	dockerfile := read(t, "template", "castor-go", "Dockerfile")
	image := func(name string) time.Duration {
		t.Helper()
		m := regexp.MustCompile(`[ \n]` + name + `=(\S+)`).FindStringSubmatch(dockerfile)
		if m == nil {
			t.Fatalf("the Dockerfile does not set %s", name)
		}
		d, err := time.ParseDuration(m[1])
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	const gateway = time.Minute // OpenFaaS' upstream_timeout, where nobody changed it
	exec, writes := image("exec_timeout"), image("write_timeout")
	if !(platform.CallTime < exec && exec < writes && writes < gateway) {
		t.Errorf("function %s < exec_timeout %s < write_timeout %s < gateway %s does not hold", platform.CallTime, exec, writes, gateway)
	}
	if reads := image("read_timeout"); reads != writes {
		t.Errorf("read_timeout is %s, write_timeout %s", reads, writes)
	}
	interval, drain := image("healthcheck_interval"), image("CASTOR_DRAIN")
	if drain <= interval {
		t.Errorf("the function takes calls for %s after SIGTERM, the watchdog passes them on for %s", drain, interval)
	}
	// OpenFaaS gives a pod a little more than write_timeout.
	if interval+platform.CallTime > writes {
		t.Errorf("a call that came %s after SIGTERM may take %s: longer than the pod has, %s", interval, platform.CallTime, writes)
	}
	for name, f := range stack(t).Functions {
		for _, setting := range []string{"exec_timeout", "read_timeout", "write_timeout"} {
			if got := environment(t, f)[setting]; got != image(setting).String() {
				t.Errorf("%s: %s is %q in stack.yml, %s in the image", name, setting, got, image(setting))
			}
		}
	}
}
