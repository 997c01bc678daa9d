package deploy

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	block      = regexp.MustCompile("(?s)```sh\n(.*?)```")
	inline     = regexp.MustCompile("`((?:castor|castor-agent|kubectl|make|docker) [^`]+)`")
	ours       = regexp.MustCompile(`(?:^|\$\(|[|;&] |do )(castor|castor-agent) ([^|;)&<>#]*)`)
	making     = regexp.MustCompile(`(?:^|&& )make ([\w= .-]+)`)
	aPath      = regexp.MustCompile(`\b(?:infra|docs|functions|template|stack\.yml)(?:[/.][\w.-]+)*\b`)
	copying    = regexp.MustCompile(`(?m)^cp (?:-r )?(\S+) (\S+)$`)
	inCastor   = regexp.MustCompile(`kubectl -n castor (.*)`)
	anObject   = regexp.MustCompile(`\b(statefulset|deployment|job|service)/([a-z-]+)`)
	scaled     = regexp.MustCompile(`scale (statefulset|deployment) ((?:[a-z-]+ )+)--`)
	shown      = regexp.MustCompile(`get service ([a-z -]+)$`)
	aPod       = regexp.MustCompile(`exec (?:-i )?([a-z-]+)-0 `)
	compose    = regexp.MustCompile(`docker compose -f (\S+) (\w+)(.*)`)
	kept       = regexp.MustCompile(`\$S"?/"?([a-z0-9-]+)\b`)
	withValues = []string{"--since", "--scale"}
)

// Guide finds what a guide says and is not so: commands and flags that there are none of, files, targets, objects, services, settings
// and secrets.
func Guide(files Files, name string, p *Programs, secrets []string) (f Faults) {
	text := files[name]
	if text == "" {
		return Faults{"there is no " + name}
	}
	c, err := files.Build(gettingStarted)
	if err != nil {
		return Faults{err.Error()}
	}
	project, err := files.LoadCompose()
	if err != nil {
		return Faults{err.Error()}
	}
	var lines []string
	for _, b := range block.FindAllStringSubmatch(text, -1) {
		lines = append(lines, strings.Split(strings.TrimSpace(b[1]), "\n")...)
	}
	for _, m := range inline.FindAllStringSubmatch(text, -1) {
		lines = append(lines, m[1])
	}
	for _, line := range lines {
		for _, m := range ours.FindAllStringSubmatch(line, -1) {
			f = append(f, p.Command(m[1], strings.Fields(m[2]))...)
		}
		for _, m := range making.FindAllStringSubmatch(line, -1) {
			for _, target := range strings.Fields(m[1]) {
				if !strings.Contains(target, "=") && !strings.Contains(files["Makefile"], "\n"+target+":") {
					f.Add("the Makefile has no target %s", target)
				}
			}
		}
		if m := inCastor.FindStringSubmatch(line); m != nil {
			f = append(f, c.named(m[1])...)
		}
		if m := compose.FindStringSubmatch(line); m != nil {
			words := strings.Fields(strings.Split(m[3], "$(")[0])
			for i, w := range words {
				value, _, _ := strings.Cut(w, "=")
				isValue := i > 0 && slices.Contains(withValues, words[i-1])
				if isValue && words[i-1] != "--scale" || strings.HasPrefix(w, "-") {
					continue
				}
				if _, ok := project.Services[value]; !ok {
					f.Add("compose.yaml has no service %s: %s", value, line)
				}
				if m[2] == "exec" {
					break
				}
			}
		}
		for _, m := range kept.FindAllStringSubmatch(line, -1) {
			if !slices.Contains(secrets, m[1]) && m[1] != "castor-part" {
				f.Add("castor init makes no %s: %s", m[1], line)
			}
		}
	}
	copies := copying.FindAllStringSubmatch(text, -1)
	for _, file := range aPath.FindAllString(text, -1) {
		for _, m := range copies {
			if rest, ok := strings.CutPrefix(file, m[2]); ok && (rest == "" || rest[0] == '/') {
				file = m[1] + rest
			}
		}
		if base := path.Base(file); base != "secrets" && !strings.Contains(file, "/secrets/") && !files.exists(file) {
			f.Add("there is no %s", file)
		}
	}
	known := files.variables("shared/platform", "template", "infra/castor", "connectors/castor-connector")
	for _, v := range variable.FindAllString(text, -1) {
		if !known[v] && !strings.Contains(files["stack.yml"]+files[composeFile], "${"+v) && !slices.Contains([]string{"CASTOR_EVENTS", "CASTOR_CALLS", "CASTOR_DEAD"}, v) {
			f.Add("nothing reads %s", v)
		}
	}
	return f
}

// exists tells whether there is a file or folder of that name.
func (f Files) exists(name string) bool {
	for file := range f {
		if file == name || strings.HasPrefix(file, name+"/") {
			return true
		}
	}
	return false
}

// named finds objects of namespace castor that a command names and that there are none of.
func (c *Cluster) named(command string) (f Faults) {
	want := func(kind, name string) {
		there := slices.ContainsFunc(c.Workloads, func(w Workload) bool {
			return w.Namespace == "castor" && strings.EqualFold(w.Kind, kind) && w.Name == name
		})
		if kind == "service" {
			there = has(c.Services, "castor", name)
		}
		if !there {
			f.Add("there is no %s %s in namespace castor", kind, name)
		}
	}
	for _, m := range anObject.FindAllStringSubmatch(command, -1) {
		want(m[1], m[2])
	}
	for _, m := range scaled.FindAllStringSubmatch(command, -1) {
		for _, name := range strings.Fields(m[2]) {
			want(m[1], name)
		}
	}
	for _, m := range shown.FindAllStringSubmatch(command, -1) {
		for _, name := range strings.Fields(m[1]) {
			want("service", name)
		}
	}
	for _, m := range aPod.FindAllStringSubmatch(command, -1) {
		want("statefulset", m[1])
	}
	return f
}
