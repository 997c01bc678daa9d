package deploy

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// References finds what is referred to and is not there: pods, secrets, settings, volumes, accounts, services, ports, namespaces.
func (c *Cluster) References() (f Faults) {
	for _, w := range c.Workloads {
		spec := w.Template.Spec
		if w.Selector != nil && !matches(w.Selector, w.Template.Labels) {
			f.Add("%s: its selector does not match its own pods", w)
		}
		if w.ServiceName != "" && !slices.ContainsFunc(c.Services, func(s *corev1.Service) bool {
			return s.Namespace == w.Namespace && s.Name == w.ServiceName && s.Spec.ClusterIP == corev1.ClusterIPNone && labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(w.Template.Labels))
		}) {
			f.Add("%s: there is no headless service %s for its pods", w, w.ServiceName)
		}
		if !has(c.ServiceAccounts, w.Namespace, spec.ServiceAccountName) {
			f.Add("%s: there is no service account %q", w, spec.ServiceAccountName)
		}
		volumes := map[string]bool{}
		for _, claim := range w.Claims {
			volumes[claim.Name] = true
		}
		for _, v := range spec.Volumes {
			volumes[v.Name] = true
			if v.Secret != nil && !has(c.Secrets, w.Namespace, v.Secret.SecretName) {
				f.Add("%s: there is no secret %s", w, v.Secret.SecretName)
			}
			if v.ConfigMap != nil && !has(c.ConfigMaps, w.Namespace, v.ConfigMap.Name) {
				f.Add("%s: there is no config map %s", w, v.ConfigMap.Name)
			}
		}
		mounted := map[string]bool{}
		for _, container := range w.containers() {
			for _, m := range container.VolumeMounts {
				mounted[m.Name] = true
				if !volumes[m.Name] {
					f.Add("%s: there is no volume %s", w, m.Name)
				}
			}
			for _, e := range container.EnvFrom {
				if e.ConfigMapRef != nil && !has(c.ConfigMaps, w.Namespace, e.ConfigMapRef.Name) {
					f.Add("%s: there is no config map %s", w, e.ConfigMapRef.Name)
				}
				if e.SecretRef != nil {
					f.Add("%s: secret %s is in its environment; secrets are files", w, e.SecretRef.Name)
				}
			}
			for _, e := range container.Env {
				if e.ValueFrom != nil {
					f.Add("%s: %s comes from elsewhere; settings are values, secrets are files", w, e.Name)
				}
			}
			for _, p := range []*corev1.Probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
				if p == nil {
					continue
				}
				if p.HTTPGet != nil && w.port(p.HTTPGet.Port.String()) == 0 {
					f.Add("%s: a probe asks port %s, which no container has", w, p.HTTPGet.Port.String())
				}
				if p.TCPSocket != nil && w.port(p.TCPSocket.Port.String()) == 0 {
					f.Add("%s: a probe asks port %s, which no container has", w, p.TCPSocket.Port.String())
				}
			}
		}
		for v := range volumes {
			if !mounted[v] {
				f.Add("%s: nothing mounts volume %s", w, v)
			}
		}
		for _, t := range spec.TopologySpreadConstraints {
			if !matches(t.LabelSelector, w.Template.Labels) {
				f.Add("%s: it spreads other pods than its own", w)
			}
		}
	}
	for _, s := range c.Services {
		pods := c.pods(s.Namespace, &metav1.LabelSelector{MatchLabels: s.Spec.Selector})
		if len(pods) == 0 || len(s.Spec.Selector) == 0 {
			f.Add("Service %s: it selects no pods", s.Name)
		}
		for _, p := range s.Spec.Ports {
			for _, w := range pods {
				if w.port(p.TargetPort.String()) == 0 {
					f.Add("Service %s: %s has no port %s", s.Name, w, p.TargetPort.String())
				}
			}
		}
	}
	for _, o := range c.all {
		if ns := o.GetNamespace(); ns != "" && ns != FunctionsNamespace && !has(c.Namespaces, "", ns) {
			f.Add("%T %s: there is no namespace %s", o, o.GetName(), ns)
		}
	}
	return append(f, c.unused()...)
}

// unused finds secrets and settings that nobody reads: what is not needed is not there to be stolen.
func (c *Cluster) unused() (f Faults) {
	read := map[string]bool{}
	for _, w := range c.Workloads {
		for _, v := range w.Template.Spec.Volumes {
			if v.Secret != nil {
				read["Secret "+v.Secret.SecretName] = true
			}
			if v.ConfigMap != nil {
				read["ConfigMap "+v.ConfigMap.Name] = true
			}
		}
		for _, container := range w.containers() {
			for _, e := range container.EnvFrom {
				if e.ConfigMapRef != nil {
					read["ConfigMap "+e.ConfigMapRef.Name] = true
				}
			}
		}
	}
	for _, s := range c.Secrets {
		if !read["Secret "+s.Name] {
			f.Add("Secret %s: nobody reads it", base(s.Name))
		}
	}
	for _, m := range c.ConfigMaps {
		if !read["ConfigMap "+m.Name] {
			f.Add("ConfigMap %s: nobody reads it", base(m.Name))
		}
	}
	return f
}

// pods are the workloads of a namespace whose pods the selector selects.
func (c *Cluster) pods(namespace string, selector *metav1.LabelSelector) (found []Workload) {
	for _, w := range c.Workloads {
		if w.Namespace == namespace && matches(selector, w.Template.Labels) {
			found = append(found, w)
		}
	}
	return found
}

func matches(selector *metav1.LabelSelector, of map[string]string) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(of))
}

func has[T metav1.Object](objects []T, namespace, name string) bool {
	return slices.ContainsFunc(objects, func(o T) bool { return o.GetNamespace() == namespace && o.GetName() == name })
}

// label is how a kind of pods is called in faults.
func label(of map[string]string) string { return fmt.Sprint(labels.Set(of)) }
