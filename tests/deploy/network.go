package deploy

import (
	"fmt"
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Namespaces of OpenFaaS: where its gateway runs, and where functions do.
const (
	OpenFaaSNamespace  = "openfaas"
	FunctionsNamespace = "openfaas-fn"
)

// A Place is a pod, or an address outside of the cluster.
type Place struct {
	Namespace string
	Labels    map[string]string
	Ports     map[string]int32 // by name
	Address   netip.Addr       // instead, when it is outside
}

// Pod is a workload's place.
func (w Workload) Pod() Place {
	p := Place{Namespace: w.Namespace, Labels: w.Template.Labels, Ports: map[string]int32{}}
	for _, c := range w.containers() {
		for _, port := range c.Ports {
			p.Ports[port.Name] = port.ContainerPort
		}
	}
	return p
}

func (p Place) String() string {
	if p.Address.IsValid() {
		return p.Address.String()
	}
	return p.Namespace + "/" + label(p.Labels)
}

// May tells whether the network policies let a connection through: what a policy selects may only do what one of those that
// select it allows, in either direction.
func (c *Cluster) May(from, to Place, port int32) bool {
	return c.allowed(networkingv1.PolicyTypeEgress, from, to, to, port) && c.allowed(networkingv1.PolicyTypeIngress, to, from, to, port)
}

func (c *Cluster) allowed(direction networkingv1.PolicyType, subject, peer, target Place, port int32) bool {
	if subject.Address.IsValid() {
		return true
	}
	held := false
	for _, p := range c.Policies {
		if p.Namespace != subject.Namespace || !slices.Contains(p.Spec.PolicyTypes, direction) || !matches(&p.Spec.PodSelector, subject.Labels) {
			continue
		}
		held = true
		for _, r := range rules(p, direction) {
			if portMatches(r.ports, target, port) && (len(r.peers) == 0 || slices.ContainsFunc(r.peers, func(x networkingv1.NetworkPolicyPeer) bool {
				return peerMatches(p.Namespace, x, peer)
			})) {
				return true
			}
		}
	}
	return !held
}

type rule struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

func rules(p *networkingv1.NetworkPolicy, direction networkingv1.PolicyType) (all []rule) {
	if direction == networkingv1.PolicyTypeIngress {
		for _, r := range p.Spec.Ingress {
			all = append(all, rule{r.From, r.Ports})
		}
		return all
	}
	for _, r := range p.Spec.Egress {
		all = append(all, rule{r.To, r.Ports})
	}
	return all
}

func portMatches(ports []networkingv1.NetworkPolicyPort, target Place, port int32) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		return p.Port == nil || p.Port.IntVal == port || p.Port.StrVal != "" && target.Ports[p.Port.StrVal] == port
	})
}

func peerMatches(namespace string, x networkingv1.NetworkPolicyPeer, peer Place) bool {
	if x.IPBlock != nil {
		in, err := netip.ParsePrefix(x.IPBlock.CIDR)
		return err == nil && peer.Address.IsValid() && in.Contains(peer.Address) && !slices.ContainsFunc(x.IPBlock.Except, func(e string) bool {
			out, err := netip.ParsePrefix(e)
			return err == nil && out.Contains(peer.Address)
		})
	}
	if peer.Address.IsValid() {
		return false
	}
	if x.NamespaceSelector != nil {
		if !matches(x.NamespaceSelector, map[string]string{"kubernetes.io/metadata.name": peer.Namespace}) {
			return false
		}
	} else if peer.Namespace != namespace {
		return false
	}
	return x.PodSelector == nil || matches(x.PodSelector, peer.Labels)
}

// Network finds pods that nothing holds back, policies that hold nothing, and rules that name ports or pods there are none of.
func (c *Cluster) Network(s Stack) (f Faults) {
	for _, w := range c.Workloads {
		for _, direction := range []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress} {
			if !slices.ContainsFunc(c.Policies, func(p *networkingv1.NetworkPolicy) bool {
				return p.Namespace == w.Namespace && len(p.Spec.PodSelector.MatchLabels)+len(p.Spec.PodSelector.MatchExpressions) == 0 &&
					slices.Contains(p.Spec.PolicyTypes, direction) && len(rules(p, direction)) == 0
			}) {
				f.Add("%s: no policy denies its %s by default", w, direction)
			}
		}
	}
	for _, p := range c.Policies {
		selected := c.pods(p.Namespace, &p.Spec.PodSelector)
		if p.Namespace == FunctionsNamespace {
			for _, name := range s.Names() {
				if matches(&p.Spec.PodSelector, s.Labels(name)) {
					selected = append(selected, Workload{Namespace: FunctionsNamespace, Name: name})
				}
			}
		}
		if len(selected) == 0 {
			f.Add("NetworkPolicy %s: it selects nothing", p.Name)
		}
		for _, r := range rules(p, networkingv1.PolicyTypeIngress) {
			for _, port := range r.ports {
				if p.Namespace == FunctionsNamespace || port.Port == nil {
					continue
				}
				for _, w := range selected {
					if w.port(port.Port.String()) == 0 {
						f.Add("NetworkPolicy %s: %s has no port %s", p.Name, w, port.Port.String())
					}
				}
			}
		}
		for _, direction := range []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress} {
			for _, r := range rules(p, direction) {
				for _, x := range r.peers {
					f = append(f, c.peer(p, x)...)
				}
			}
		}
	}
	return f
}

// peer checks a peer that is in a namespace of ours.
func (c *Cluster) peer(p *networkingv1.NetworkPolicy, x networkingv1.NetworkPolicyPeer) (f Faults) {
	if x.PodSelector == nil {
		return nil
	}
	namespace := p.Namespace
	if x.NamespaceSelector != nil {
		namespace = x.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"]
	}
	if has(c.Namespaces, "", namespace) && len(c.pods(namespace, x.PodSelector)) == 0 {
		f.Add("NetworkPolicy %s: a rule names pods that do not exist: %s", p.Name, metav1.FormatLabelSelector(x.PodSelector))
	}
	return f
}

// A Flow is a connection that must be possible, or must not.
type Flow struct {
	From, To Place
	Port     int32
	May      bool
	Why      string
}

// Flows finds connections that are needed and held back, and those that are let through and must not be.
func (c *Cluster) Flows(flows []Flow) (f Faults) {
	for _, x := range flows {
		if c.May(x.From, x.To, x.Port) != x.May {
			f.Add("%s → %s:%d: %s", x.From, x.To, x.Port, map[bool]string{true: "held back, but ", false: "let through, but "}[x.May]+fmt.Sprint(x.Why))
		}
	}
	return f
}
