package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Programs are the platform's own, built, so that they can be asked what they take.
type Programs struct {
	dir string

	mu    sync.Mutex
	helps map[string]string
}

// BuildPrograms builds castor, castor-agent and castor-connector into dir.
func BuildPrograms(dir string) (*Programs, error) {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", dir+"/", "./infra/castor", "./agent/cmd/castor-agent", "./connectors/castor-connector")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0") // as the images are, so that nothing is compiled twice
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	return &Programs{dir: dir, helps: map[string]string{}}, nil
}

// Help is what a program says of a command; "" if it has none of that name.
func (p *Programs) Help(program string, command ...string) string {
	key := strings.Join(append([]string{program}, command...), " ")
	p.mu.Lock()
	defer p.mu.Unlock()
	if h, ok := p.helps[key]; ok {
		return h
	}
	out, err := exec.Command(filepath.Join(p.dir, program), append(command, "--help")...).CombinedOutput()
	if err != nil || program != "castor-connector" && (!strings.Contains(string(out), "\n  "+key+" ") && !strings.HasSuffix(strings.TrimSpace(string(out)), key)) {
		out = nil // cobra shows the help of the last command that there is
	}
	p.helps[key] = string(out)
	return p.helps[key]
}

// Command finds what is wrong with a call of castor or castor-agent, words being what comes after the name.
func (p *Programs) Command(program string, words []string) (f Faults) {
	var command []string
	help := p.Help(program)
	for _, w := range words {
		if strings.HasPrefix(w, "-") {
			break
		}
		h := p.Help(program, append(slices.Clone(command), w)...)
		if h == "" {
			if strings.Contains(help, "Available Commands:") {
				f.Add("%s %s: there is no command %s", program, strings.Join(command, " "), w)
			}
			break
		}
		command, help = append(command, w), h
	}
	for _, w := range words {
		flag, _, _ := strings.Cut(w, "=")
		if strings.HasPrefix(flag, "--") && !regexp.MustCompile(regexp.QuoteMeta(flag)+`\b`).MatchString(help) {
			f.Add("%s %s has no flag %s", program, strings.Join(command, " "), flag)
		}
	}
	return f
}

var setting = regexp.MustCompile(`(?m)^  (CASTOR_[A-Z0-9_]+) .*\n +(\w+)`)

// Settings are the variables that a command of castor-connector reads, and whether they are required.
func (p *Programs) Settings(command string) map[string]bool {
	all := map[string]bool{}
	for _, m := range setting.FindAllStringSubmatch(p.Help("castor-connector", command), -1) {
		all[m[1]] = m[2] == "required"
	}
	return all
}

// connector finds what is wrong with the settings of a castor-connector.
func (p *Programs) connector(who, command string, env map[string]string) (f Faults) {
	settings := p.Settings(command)
	if len(settings) == 0 {
		f.Add("%s: castor-connector has no command %q", who, command)
	}
	for name := range env {
		if _, ok := settings[name]; !ok && strings.HasPrefix(name, "CASTOR_") {
			f.Add("%s: castor-connector %s does not read %s", who, command, name)
		}
	}
	for name, required := range settings {
		if required && env[name] == "" {
			f.Add("%s: castor-connector %s requires %s", who, command, name)
		}
	}
	return f
}

var variable = regexp.MustCompile(`CASTOR_[A-Z0-9_]*[A-Z0-9]`)

// read are the variables that code below the folders reads, or at least names in a string.
func (f Files) variables(under ...string) map[string]bool {
	all := map[string]bool{}
	for name, text := range f {
		if slices.ContainsFunc(under, func(u string) bool { return strings.HasPrefix(name, u) }) && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			for _, v := range regexp.MustCompile(`"`+variable.String()+`"`).FindAllString(text, -1) {
				all[strings.Trim(v, `"`)] = true
			}
		}
	}
	return all
}

// Settings finds variables of the deployments that no program reads, or that one requires and is not given.
func Settings(files Files, p *Programs) (f Faults) {
	c, err := files.Build(gettingStarted)
	if err != nil {
		return Faults{err.Error()}
	}
	project, err := files.LoadCompose()
	if err != nil {
		return Faults{err.Error()}
	}
	stack, err := files.Stack()
	if err != nil {
		return Faults{err.Error()}
	}
	for _, w := range c.Workloads {
		for _, x := range w.containers() {
			if !strings.Contains(x.Image, "castor-connector") {
				continue
			}
			env := map[string]string{}
			for _, from := range x.EnvFrom {
				for _, m := range c.ConfigMaps {
					if m.Name == from.ConfigMapRef.Name {
						for k, v := range m.Data {
							env[k] = v
						}
					}
				}
			}
			for _, e := range x.Env {
				env[e.Name] = e.Value
			}
			f = append(f, p.connector(w.String(), strings.Join(x.Args, " "), env)...)
		}
	}
	functions, gateway := files.variables("shared/platform", "template"), files.variables("infra/castor/serve.go", "infra/castor/serve/", "shared/platform")
	for _, name := range stack.Names() {
		env, err := files.Environment(stack, name)
		if err != nil {
			return append(f, err.Error())
		}
		for k := range env {
			if strings.HasPrefix(k, "CASTOR_") && !functions[k] {
				f.Add("function %s: nothing reads %s", name, k)
			}
		}
	}
	for name, s := range project.Services {
		env := map[string]string{}
		for k, v := range s.Environment {
			if v != nil {
				env[k] = *v
			}
		}
		if s.HealthCheck != nil && len(s.HealthCheck.Test) > 2 {
			if asks := path.Base(s.HealthCheck.Test[1]); strings.HasPrefix(asks, "castor") && p.Help(asks, s.HealthCheck.Test[2:]...) == "" {
				f.Add("%s: there is no command %s", name, strings.Join(s.HealthCheck.Test[1:], " "))
			}
		}
		known := functions
		switch {
		case strings.Contains(s.Image, "/castor-connector:"):
			f = append(f, p.connector(name, strings.Join(s.Command, " "), env)...)
			continue
		case strings.Contains(s.Image, "/castor:"):
			f = append(f, p.Command("castor", s.Command)...)
			known = gateway
		}
		for k := range env {
			if strings.HasPrefix(k, "CASTOR_") && !known[k] {
				f.Add("%s: nothing reads %s", name, k)
			}
		}
	}
	for _, line := range strings.Split(files[composeDir+"/env.example"], "\n") {
		name, _, ok := strings.Cut(line, "=")
		if ok && !strings.HasPrefix(line, "#") && !strings.Contains(files[composeFile], "${"+name) {
			f.Add("env.example: compose.yaml does not use %s", name)
		}
	}
	return f
}
