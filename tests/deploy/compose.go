package deploy

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/castor-iot/castor/functions"
	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v3"
)

const (
	composeDir  = "infra/compose"
	composeFile = composeDir + "/compose.yaml"
)

// LoadCompose reads compose.yaml as Docker Compose does, with the settings of env.example. What does not fit the schema is an error.
func (f Files) LoadCompose() (*types.Project, error) {
	return projects.of(f, "", []string{composeFile, composeDir + "/env.example"}, f.loadCompose)
}

var projects memo[*types.Project]

func (f Files) loadCompose() (*types.Project, error) {
	env, err := dotenv.UnmarshalWithLookup(f[composeDir+"/env.example"], nil)
	if err != nil {
		return nil, err
	}
	return loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir:  "/" + composeDir,
		ConfigFiles: []types.ConfigFile{{Filename: "/" + composeFile, Content: []byte(f[composeFile])}},
		Environment: env,
	})
}

// Compose returns what is wrong with infra/compose. made are the secrets that `castor init` makes.
func Compose(files Files, made []string) (f Faults) {
	p, err := files.LoadCompose()
	if err != nil {
		return Faults{err.Error()}
	}
	s, err := files.Stack()
	if err != nil {
		return Faults{err.Error()}
	}
	f = append(f, composeFunctions(files, p, s)...)
	f = append(f, composeFiles(files, p, made)...)
	for _, name := range p.ServiceNames() {
		f = append(f, contained(p.Services[name])...)
	}
	f = append(f, composeDrivers(p)...)
	return append(f, composeNetworks(p, s)...)
}

// composeFunctions holds the services that are functions to stack.yml and functions.All.
func composeFunctions(files Files, p *types.Project, s Stack) (f Faults) {
	var raw struct {
		Services map[string]struct {
			Image string `yaml:"image"`
		} `yaml:"services"`
	}
	if err := yaml.Unmarshal([]byte(files[composeFile]), &raw); err != nil {
		return Faults{err.Error()}
	}
	for _, x := range functions.All {
		if _, ok := p.Services[x.Name]; !ok {
			f.Add("function %s is not in compose.yaml", x.Name)
		}
	}
	for _, name := range s.Names() {
		service, ok := p.Services[name]
		if !ok {
			f.Add("function %s of stack.yml is not in compose.yaml", name)
			continue
		}
		if want := s.Functions[name].Image; raw.Services[name].Image != want {
			f.Add("%s: its image is %s, %s in stack.yml", name, raw.Services[name].Image, want)
		}
		f.same(name+": secrets", secretsOf(service), "stack.yml", s.Functions[name].Secrets)
		env, err := files.Environment(s, name)
		if err != nil {
			f.Add("%v", err)
		}
		for key := range env { // those in small letters are of-watchdog's, and in the image, too
			if _, ok := service.Environment[key]; !ok && key == strings.ToUpper(key) {
				f.Add("%s: %s is not set; stack.yml has it set", name, key)
			}
		}
		if service.HealthCheck == nil || !slices.Contains(service.HealthCheck.Test, "-run-healthcheck") {
			f.Add("%s: its health is not asked of its watchdog", name)
		}
	}
	for name, service := range p.Services {
		if _, ok := s.Functions[name]; !ok && slices.Contains(secretsOf(service), "castor-part-"+name) && name != "events" && name != "stream" {
			f.Add("%s: it has a function's secret and is no function of stack.yml", name)
		}
	}
	return f
}

func secretsOf(s types.ServiceConfig) (names []string) {
	for _, x := range s.Secrets {
		names = append(names, x.Source)
	}
	slices.Sort(names)
	return names
}

// composeFiles checks that files which are mounted exist, and that nothing is declared which nobody uses.
func composeFiles(files Files, p *types.Project, made []string) (f Faults) {
	used := map[string]bool{}
	for _, s := range p.Services {
		for _, x := range s.Secrets {
			used["secret "+x.Source] = true
		}
		for _, x := range s.Configs {
			used["config "+x.Source] = true
		}
		for _, v := range s.Volumes {
			used["volume "+v.Source] = true
			if v.Type != types.VolumeTypeVolume {
				f.Add("%s: %s is a folder of the machine", s.Name, v.Source)
			}
		}
		for n := range s.Networks {
			used["network "+n] = true
		}
	}
	for name, x := range p.Secrets {
		if !used["secret "+name] {
			f.Add("secret %s: nobody reads it", name)
		}
		if want := "/" + composeDir + "/secrets/" + name; x.File != want {
			f.Add("secret %s is in %s, want %s", name, x.File, want)
		}
		if !slices.Contains(made, name) {
			f.Add("secret %s: castor init does not make it", name)
		}
	}
	for name, x := range p.Configs {
		if !used["config "+name] {
			f.Add("config %s: nobody reads it", name)
		}
		if _, ok := files[strings.TrimPrefix(path.Clean(x.File), "/")]; !ok {
			f.Add("config %s: there is no file %s", name, x.File)
		}
	}
	for name := range p.Volumes {
		if !used["volume "+name] {
			f.Add("volume %s: nobody uses it", name)
		}
	}
	for name := range p.Networks {
		if !used["network "+name] && name != "default" {
			f.Add("network %s: nobody is on it", name)
		}
	}
	return f
}

// contained finds what a container may more than it needs.
func contained(s types.ServiceConfig) (f Faults) {
	once := s.Restart == types.RestartPolicyOnFailure
	switch {
	case s.User == "":
		f.Add("%s: it does not say as whom it runs", s.Name)
	case strings.HasPrefix(s.User, "0:") || s.User == "root" || s.User == "0":
		if !once || s.NetworkMode != "none" {
			f.Add("%s: it runs as root", s.Name)
		}
	}
	if !s.ReadOnly {
		f.Add("%s: it may write to its image", s.Name)
	}
	if s.Privileged || !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.CapAdd) > 0 && !(once && slices.Equal(s.CapAdd, []string{"CHOWN"})) {
		f.Add("%s: it keeps capabilities", s.Name)
	}
	if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
		f.Add("%s: it may gain privileges", s.Name)
	}
	if s.MemLimit == 0 || s.PidsLimit <= 0 {
		f.Add("%s: it may take all memory or processes", s.Name)
	}
	if s.Restart == "" || s.Restart == types.RestartPolicyNo {
		f.Add("%s: nobody starts it again", s.Name)
	}
	if s.Logging == nil || s.Logging.Options["max-size"] == "" {
		f.Add("%s: its log may fill the disk", s.Name)
	}
	if !once && s.StopGracePeriod == nil {
		f.Add("%s: it does not say how long it takes to stop", s.Name)
	}
	if !once && s.HealthCheck == nil {
		f.Add("%s: nobody asks whether it is healthy", s.Name)
	}
	for key := range s.Environment {
		if upper := strings.ToUpper(key); (strings.Contains(upper, "PASSWORD") || strings.Contains(upper, "TOKEN")) && !strings.HasSuffix(upper, "_FILE") {
			f.Add("%s: %s is in its environment; secrets are files", s.Name, key)
		}
	}
	if !strings.Contains(s.Image, "castor/") && !version.MatchString(s.Image) {
		f.Add("%s: image %s is not pinned to a version", s.Name, s.Image)
	}
	if len(s.Ports) > 0 && s.Name != "balancer" {
		f.Add("%s: it is reached from outside; only the balancer is", s.Name)
	}
	return f
}

// composeNetworks checks who can reach whom: two services can when they share a network.
func composeNetworks(p *types.Project, s Stack) (f Faults) {
	share := func(a, b string) bool {
		for n := range p.Services[a].Networks {
			if _, ok := p.Services[b].Networks[n]; ok {
				return true
			}
		}
		return false
	}
	outside := func(name string) bool {
		for n := range p.Services[name].Networks {
			if !p.Networks[n].Internal {
				return true
			}
		}
		return false
	}
	needs := map[string][]string{"balancer": {"gateway", "operational-a", "operational-b", "provisioning", "operational-grpc", "provisioning-grpc", "operational-http", "provisioning-http", "minio"},
		"gateway": {"nats", "stream"}, "events": {"nats", "gateway"}, "stream": {"nats", "gateway"},
		"operational-a": {"nats", "gateway"}, "operational-b": {"nats", "gateway"}, "provisioning": {"nats", "gateway"}, "operational-grpc": {"nats", "gateway"},
		"provisioning-grpc": {"nats", "gateway"}, "operational-http": {"nats", "gateway"}, "provisioning-http": {"nats", "gateway"}, "minio-init": {"minio"}}
	for _, name := range s.Names() {
		needs[name] = []string{"gateway", "mongo", "nats"}
		if slices.Contains(s.Functions[name].Secrets, "castor-s3-access") {
			needs[name] = append(needs[name], "minio")
		}
	}
	for _, from := range slices.Sorted(maps.Keys(needs)) {
		for _, to := range needs[from] {
			if !share(from, to) {
				f.Add("%s cannot reach %s", from, to)
			}
		}
	}
	for _, store := range []string{"mongo", "nats", "minio"} {
		for _, from := range slices.Sorted(maps.Keys(needs)) {
			if share(from, store) && !slices.Contains(needs[from], store) {
				f.Add("%s can reach %s and has no business there", from, store)
			}
		}
	}
	for _, name := range s.Names() {
		if share("balancer", name) && name != "alerts" {
			f.Add("balancer can reach function %s past the user gateway", name)
		}
	}
	for _, name := range p.ServiceNames() {
		if outside(name) && name != "balancer" && name != "alerts" && name != "twin-provision" {
			f.Add("%s is on a network that leads outside", name)
		}
	}
	return f
}

func (f *Faults) same(what string, have []string, where string, want []string) {
	for _, x := range want {
		if !slices.Contains(have, x) {
			f.Add("%s: %s is missing, %s has it", what, x, where)
		}
	}
	for _, x := range have {
		if !slices.Contains(want, x) {
			f.Add("%s: %s is too much, %s has it not", what, x, where)
		}
	}
}
