package deploy

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// The kustomization that has everything.
const gettingStarted = "infra/kubernetes/getting-started"

// Kubernetes returns what is wrong with infra/kubernetes.
func Kubernetes(files Files) (f Faults) {
	c, err := files.Build(gettingStarted)
	if err != nil {
		return Faults{err.Error()}
	}
	s, err := files.Stack()
	if err != nil {
		return Faults{err.Error()}
	}
	f = append(f, c.References()...)
	f = append(f, c.Pods()...)
	f = append(f, c.Drivers()...)
	f = append(f, functionDrivers(files, s)...)
	f = append(f, c.Availability()...)
	f = append(f, c.Network(s)...)
	f = append(f, c.Flows(c.flows(s))...)
	f = append(f, c.functions(s)...)
	f = append(f, c.addresses(files, s)...)
	return f
}

// functions checks that what is said of all functions is said of each of stack.yml.
func (c *Cluster) functions(s Stack) (f Faults) {
	for _, name := range s.Names() {
		covered := false
		for _, p := range c.Policies {
			covered = covered || p.Namespace == FunctionsNamespace && len(p.Spec.PolicyTypes) == 2 && matches(&p.Spec.PodSelector, s.Labels(name))
		}
		if !covered {
			f.Add("function %s: no NetworkPolicy of %s holds it", name, FunctionsNamespace)
		}
		covered = false
		for _, b := range c.Budgets {
			covered = covered || b.Namespace == FunctionsNamespace && matches(b.Spec.Selector, s.Labels(name))
		}
		if !covered {
			f.Add("function %s: no PodDisruptionBudget of %s holds it", name, FunctionsNamespace)
		}
	}
	return f
}

// flows are the connections that the platform lives by, and those that nobody may make.
func (c *Cluster) flows(s Stack) (all []Flow) {
	pod := map[string]Place{}
	for _, w := range c.Workloads {
		pod[w.Name] = w.Pod()
	}
	gateway := Place{Namespace: OpenFaaSNamespace, Labels: map[string]string{"app": "gateway"}}
	dns := Place{Namespace: "kube-system", Labels: map[string]string{"k8s-app": "kube-dns"}}
	prometheus := Place{Namespace: "monitoring", Labels: map[string]string{"app.kubernetes.io/name": "prometheus"}}
	stranger := Place{Namespace: "default", Labels: map[string]string{"app": "stranger"}}
	device, node := Place{Address: netip.MustParseAddr("203.0.113.7")}, Place{Address: netip.MustParseAddr("10.0.0.7")}
	may := func(from, to Place, port int32, why string) { all = append(all, Flow{from, to, port, true, why}) }
	never := func(from, to Place, port int32, why string) { all = append(all, Flow{from, to, port, false, why}) }

	stores := map[string]int32{"mongo": 27017, "nats": 4222, "minio": 9000}
	for _, name := range s.Names() {
		function := s.Pod(name)
		may(gateway, function, 8080, "the user gateway calls functions")
		may(function, gateway, 8080, "functions call each other through the user gateway")
		may(function, dns, 53, "functions resolve names")
		may(prometheus, function, 9102, "Prometheus reads their metrics")
		may(function, pod["mongo"], 27017, "functions keep their state there")
		may(function, pod["nats"], 4222, "functions publish there")
		if slices.Contains(s.Functions[name].Secrets, "castor-s3-access") {
			may(function, pod["minio"], 9000, "it has the keys of the object store")
		} else {
			never(function, pod["minio"], 9000, "it has no keys of the object store")
		}
		never(stranger, function, 8080, "the first door is the user gateway")
		never(pod["events"], function, 8080, "connectors call through the user gateway")
		never(function, node, 443, "a function must not reach the cluster's own addresses")
		if name != "alerts" && name != "twin-provision" {
			never(function, device, 443, "only alerts and twin-provision talk to the outside")
		}
	}
	may(s.Pod("alerts"), device, 443, "webhooks")
	may(s.Pod("alerts"), device, 587, "mail")
	may(s.Pod("twin-provision"), device, 443, "services of others")
	for _, name := range append(slices.Sorted(maps.Keys(gateways)), "events", "stream") {
		may(pod[name], gateway, 8080, "connectors call functions")
		may(pod[name], pod["nats"], 4222, "connectors stand on the bus")
		may(pod[name], dns, 53, "connectors resolve names")
		may(prometheus, pod[name], 9102, "Prometheus reads their metrics")
		never(pod[name], pod["mongo"], 27017, "a connector has no business in the store")
		never(pod[name], device, 443, "a connector calls nobody outside")
		never(stranger, pod[name], 9102, "metrics are the operator's")
	}
	for name, port := range gateways {
		may(device, pod[name], port, "devices come in here")
		never(device, pod[name], 9102, "metrics are the operator's")
	}
	ingress := Place{Namespace: "ingress-nginx", Labels: map[string]string{"app.kubernetes.io/name": "ingress-nginx"}}
	may(ingress, pod["stream"], 8080, "people read streams through their Ingress")
	never(stranger, pod["stream"], 8080, "the first door is the Ingress")
	never(ingress, pod["stream"], 9102, "metrics are the operator's")
	may(pod["minio-init"], pod["minio"], 9000, "it makes the user and the bucket")
	for store, port := range stores {
		never(stranger, pod[store], port, "stores are reached by functions only")
		never(device, pod[store], port, "stores are not reached from outside")
		never(pod[store], device, 443, "stores call nobody")
		never(pod[store], gateway, 8080, "stores call nobody")
	}
	return all
}

// gateways are the ports that the pods of the gateways listen on.
var gateways = map[string]int32{"operational": 8883, "provisioning": 8883, "operational-grpc": 8886, "provisioning-grpc": 8885, "operational-http": 8888,
	"provisioning-http": 8887}

// addresses checks that settings name services that there are, and that what devices are told to dial is the same everywhere.
func (c *Cluster) addresses(files Files, s Stack) (f Faults) {
	check := func(where, value string) {
		for _, m := range clusterAddress.FindAllStringSubmatch(value, -1) {
			name, namespace, port := m[1], m[2], m[3]
			if !has(c.Namespaces, "", namespace) {
				continue
			}
			found := false
			for _, s := range c.Services {
				for _, p := range s.Spec.Ports {
					found = found || s.Namespace == namespace && s.Name == name && itoa(p.Port) == port
				}
			}
			if !found {
				f.Add("%s: there is no service %s with port %s in namespace %s", where, name, port, namespace)
			}
		}
	}
	settings := map[string]map[string]string{}
	for _, m := range c.ConfigMaps {
		settings[base(m.Name)] = m.Data
		for k, v := range m.Data {
			check("ConfigMap "+base(m.Name)+": "+k, v)
		}
	}
	for _, w := range c.Workloads {
		for _, container := range w.containers() {
			for _, e := range container.Env {
				check(w.String()+": "+e.Name, e.Value)
			}
		}
	}
	var functions map[string]string
	for _, name := range s.Names() {
		env, err := files.Environment(s, name)
		if err != nil {
			return append(f, err.Error())
		}
		for k, v := range env {
			check("function "+name+": "+k, v)
		}
		functions = env
	}
	var dialled []string
	for _, name := range []string{"provisioning", "provisioning-grpc", "provisioning-http"} {
		dialled = append(dialled, settings["castor-"+name]["CASTOR_PUBLIC_URL"])
	}
	if told := functions["CASTOR_PROVISIONING"]; told != strings.Join(dialled, ",") {
		f.Add("claims tell devices to dial %s (infra/functions.yml), the provisioning gateways say they are %s", told, strings.Join(dialled, ","))
	}
	for k, v := range settings["castor"] {
		if other, ok := functions[k]; ok && other != v {
			f.Add("%s is %s for connectors and %s for functions", k, v, other)
		}
	}
	for _, s := range c.Services {
		url, ok := settings["castor-"+s.Name]["CASTOR_PUBLIC_URL"]
		if ok && !strings.HasSuffix(url, ":"+itoa(s.Spec.Ports[0].Port)) {
			f.Add("Service %s has port %d, devices are told to dial %s", s.Name, s.Spec.Ports[0].Port, url)
		}
	}
	return f
}
