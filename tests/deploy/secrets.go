package deploy

import (
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/nats-io/nats-server/v2/server"
)

var secretPath = regexp.MustCompile(`/run/secrets/([a-z0-9.-]+)`)

// SecretFiles finds secrets that a program would look for and not find, and workloads that have others on Kubernetes than with Compose.
func SecretFiles(files Files) (f Faults) {
	c, err := files.Build(gettingStarted)
	if err != nil {
		return Faults{err.Error()}
	}
	p, err := files.LoadCompose()
	if err != nil {
		return Faults{err.Error()}
	}
	for _, w := range c.Workloads {
		has := c.secrets(w)
		f.opened(w.String(), c.texts(w), has)
		service := w.Name
		if service == "operational" {
			service = "operational-a"
		}
		if s, ok := p.Services[service]; !ok {
			f.Add("%s: compose.yaml has no service %s", w, service)
		} else if w.Name != "minio" && w.Name != "minio-init" { // they share one secret
			f.same(w.String()+": secrets", has, "compose.yaml", secretsOf(s))
		}
	}
	for _, name := range p.ServiceNames() {
		s := p.Services[name]
		var has []string
		for _, x := range s.Secrets {
			has = append(has, path.Base(x.Target))
			if x.Target == "" {
				has[len(has)-1] = x.Source
			}
		}
		f.opened(name, composeTexts(files, p, s), has)
	}
	return f
}

// opened notes secrets that a text names by path and the mount has not.
func (f *Faults) opened(who, text string, has []string) {
	for _, m := range secretPath.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(has, m[1]) {
			f.Add("%s: there is no file /run/secrets/%s for it", who, m[1])
		}
	}
}

// secrets are the names of the files that a workload is given.
func (c *Cluster) secrets(w Workload) (names []string) {
	for _, v := range w.Template.Spec.Volumes {
		for _, s := range c.Secrets {
			if v.Secret != nil && s.Namespace == w.Namespace && s.Name == v.Secret.SecretName {
				names = append(names, slices.Sorted(maps.Keys(s.Data))...)
			}
		}
	}
	return names
}

// texts are what a workload's programs are told: commands, settings, mounted files.
func (c *Cluster) texts(w Workload) string {
	var b strings.Builder
	for _, x := range w.containers() {
		fmt.Fprintln(&b, x.Command, x.Args)
		for _, e := range x.Env {
			fmt.Fprintln(&b, e.Value)
		}
	}
	for _, v := range w.Template.Spec.Volumes {
		for _, m := range c.ConfigMaps {
			if v.ConfigMap != nil && m.Name == v.ConfigMap.Name {
				fmt.Fprintln(&b, m.Data)
			}
		}
	}
	return b.String()
}

func composeTexts(files Files, p *types.Project, s types.ServiceConfig) string {
	var b strings.Builder
	fmt.Fprintln(&b, s.Command, s.Entrypoint)
	for _, v := range s.Environment {
		if v != nil {
			fmt.Fprintln(&b, *v)
		}
	}
	for _, x := range s.Configs {
		fmt.Fprintln(&b, files[strings.TrimPrefix(path.Clean(p.Configs[x.Source].File), "/")])
	}
	return b.String()
}

// Bus finds what is wrong with the configuration of NATS: the server itself reads it.
func Bus(files Files) (f Faults) {
	dir, err := os.MkdirTemp("", "castor-nats-*")
	if err != nil {
		return Faults{err.Error()}
	}
	defer os.RemoveAll(dir)
	file := path.Join(dir, "nats.conf")
	const token = "-12e5_begins-like-a-number"
	text := strings.ReplaceAll(files["infra/kubernetes/stores/files/nats.conf"], "$NATS_TOKEN", `"`+token+`"`)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return Faults{err.Error()}
	}
	o, err := server.ProcessConfigFile(file)
	if err != nil {
		return Faults{err.Error()}
	}
	if o.Authorization != token {
		f.Add("nats.conf: anybody may enter")
	}
	if !o.JetStream || o.StoreDir != "/data" || !o.SyncAlways {
		f.Add("nats.conf: what is acknowledged is not on disk in /data")
	}
	if o.MaxPayload != 8<<20 {
		f.Add("nats.conf: a message may have %d bytes, `castor up` allows %d", o.MaxPayload, 8<<20)
	}
	if want := int64(5 << 30); o.JetStreamMaxStore < want {
		f.Add("nats.conf: %d bytes are too few for the streams", o.JetStreamMaxStore)
	}
	if o.JetStreamMaxMemory < 64<<20 {
		f.Add("nats.conf: %d bytes of memory are too few for live news", o.JetStreamMaxMemory)
	}
	return f
}

var (
	balanced = regexp.MustCompile(`(?m)^  server \S+ ([a-z-]+):(\d+)`)
	bound    = regexp.MustCompile(`(?m)^  bind :(\d+)`)
)

// Balancer finds servers that the balancer cannot reach, and ports that nobody publishes or listens on.
func Balancer(files Files) (f Faults) {
	p, err := files.LoadCompose()
	if err != nil {
		return Faults{err.Error()}
	}
	text := files[composeDir+"/haproxy.cfg"]
	for _, m := range balanced.FindAllStringSubmatch(text, -1) {
		s, ok := p.Services[m[1]]
		if !ok {
			f.Add("haproxy.cfg: compose.yaml has no service %s", m[1])
			continue
		}
		listens := strings.Join(s.Command, " ")
		if v := s.Environment["CASTOR_LISTEN"]; v != nil {
			listens += *v
		} else if len(s.Command) > 0 && s.Command[0] == "mqtt" {
			listens += ":8883" // what it listens on if nothing is said
		}
		if !strings.Contains(listens, ":"+m[2]) {
			f.Add("haproxy.cfg: %s does not listen on %s", m[1], m[2])
		}
		if where := map[string]string{"mqtt": "devices", "grpc": "devices", "http": "devices", "serve": "people"}[s.Command[0]]; where != "" {
			network := p.Networks[where].Ipam.Config
			if v := s.Environment["CASTOR_BALANCERS"]; v == nil || len(network) != 1 || *v != network[0].Subnet {
				f.Add("%s: CASTOR_BALANCERS is not the network that the balancer comes from, so one bad device or person has all turned away", m[1])
			}
		}
	}
	published := map[string]bool{}
	for _, port := range p.Services["balancer"].Ports {
		published[fmt.Sprint(port.Target)] = true
	}
	for _, m := range bound.FindAllStringSubmatch(text, -1) {
		if !published[m[1]] {
			f.Add("haproxy.cfg: port %s is not published", m[1])
		}
		delete(published, m[1])
	}
	for port := range published {
		f.Add("haproxy.cfg: nothing listens on the published port %s", port)
	}
	return f
}
