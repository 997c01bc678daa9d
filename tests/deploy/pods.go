package deploy

import (
	"regexp"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// version is a tag that stays what it is: it has a number of three parts, or a date.
var version = regexp.MustCompile(`:.*(\d+\.\d+\.\d+|\d{4}-\d{2}-\d{2})`)

// Pods finds pods that may more than they need, that nobody watches, or that can take a whole node.
func (c *Cluster) Pods() (f Faults) {
	for _, w := range c.Workloads {
		spec := w.Template.Spec
		if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
			f.Add("%s: it is given a token of the Kubernetes API", w)
		}
		if s := spec.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.RunAsUser == nil || *s.RunAsUser == 0 {
			f.Add("%s: it may run as root", w)
		} else if s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
			f.Add("%s: it has no seccomp profile", w)
		}
		if spec.HostNetwork || spec.HostPID || spec.HostIPC {
			f.Add("%s: it shares what is the node's", w)
		}
		if w.Kind != "Job" && spec.TerminationGracePeriodSeconds == nil {
			f.Add("%s: it does not say how long it takes to stop", w)
		}
		for _, v := range spec.Volumes {
			if v.HostPath != nil {
				f.Add("%s: volume %s is a folder of the node", w, v.Name)
			}
			if v.EmptyDir != nil && v.EmptyDir.SizeLimit == nil {
				f.Add("%s: volume %s has no bound", w, v.Name)
			}
			if v.Secret != nil && (v.Secret.DefaultMode == nil || *v.Secret.DefaultMode&0o007 != 0) {
				f.Add("%s: everybody in the pod may read volume %s", w, v.Name)
			}
		}
		for _, container := range w.containers() {
			f = append(f, hardened(w, container)...)
		}
	}
	return f
}

func hardened(w Workload, container corev1.Container) (f Faults) {
	s := container.SecurityContext
	if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.Privileged != nil && *s.Privileged {
		f.Add("%s: container %s may gain privileges", w, container.Name)
	}
	if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
		f.Add("%s: container %s may write to its image", w, container.Name)
	}
	if s == nil || s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 {
		f.Add("%s: container %s keeps capabilities", w, container.Name)
	}
	r := container.Resources
	if r.Requests.Cpu().IsZero() || r.Requests.Memory().IsZero() || r.Limits.Memory().IsZero() {
		f.Add("%s: container %s does not say what it needs: requests of cpu and memory, and a limit of memory", w, container.Name)
	}
	if r.Limits.Memory().Cmp(*r.Requests.Memory()) < 0 {
		f.Add("%s: container %s asks for more memory than it may have", w, container.Name)
	}
	for _, e := range container.Env {
		if e.Name != "GOMEMLIMIT" {
			continue
		}
		soft, err := resource.ParseQuantity(strings.TrimSuffix(e.Value, "B"))
		if err != nil || soft.Cmp(*r.Limits.Memory()) >= 0 {
			f.Add("%s: container %s: GOMEMLIMIT %s is not below the limit of %s", w, container.Name, e.Value, r.Limits.Memory())
		}
	}
	if w.Kind != "Job" && (container.StartupProbe == nil || container.LivenessProbe == nil || container.ReadinessProbe == nil) {
		f.Add("%s: container %s has not all three probes", w, container.Name)
	}
	if !strings.HasPrefix(container.Image, "castor/") && !version.MatchString(container.Image) {
		f.Add("%s: image %s is not pinned to a version", w, container.Image)
	}
	return f
}

// Availability finds what stops work when a node is drained or the load grows.
func (c *Cluster) Availability() (f Faults) {
	for _, b := range c.Budgets {
		if b.Spec.MaxUnavailable == nil || b.Spec.MaxUnavailable.IntValue() < 1 {
			f.Add("PodDisruptionBudget %s: it must let one pod go, or no node can be drained", b.Name)
		}
		if b.Namespace != FunctionsNamespace && len(c.pods(b.Namespace, b.Spec.Selector)) == 0 {
			f.Add("PodDisruptionBudget %s: it matches no pods", b.Name)
		}
	}
	for _, h := range c.Scalers {
		t := h.Spec.ScaleTargetRef
		i := slices.IndexFunc(c.Workloads, func(w Workload) bool {
			return w.Namespace == h.Namespace && w.Kind == t.Kind && w.Name == t.Name
		})
		if i < 0 {
			f.Add("HorizontalPodAutoscaler %s: there is no %s %s", h.Name, t.Kind, t.Name)
			continue
		}
		if c.Workloads[i].Replicas != nil {
			f.Add("%s: it names a number of replicas, which undoes what the autoscaler decided", c.Workloads[i])
		}
		if h.Spec.MinReplicas == nil || *h.Spec.MinReplicas < 2 || h.Spec.MaxReplicas <= *h.Spec.MinReplicas {
			f.Add("HorizontalPodAutoscaler %s: want two replicas or more, and room to grow", h.Name)
		}
		if !slices.ContainsFunc(h.Spec.Metrics, func(m autoscalingv2.MetricSpec) bool { return m.Resource != nil }) {
			f.Add("HorizontalPodAutoscaler %s: it measures nothing", h.Name)
		}
	}
	for _, w := range c.Workloads {
		if w.Kind == "Job" || !strings.HasPrefix(w.Template.Spec.Containers[0].Image, "castor/") {
			continue
		}
		scaled := slices.ContainsFunc(c.Scalers, func(h *autoscalingv2.HorizontalPodAutoscaler) bool { return h.Spec.ScaleTargetRef.Name == w.Name })
		if !scaled && (w.Replicas == nil || *w.Replicas < 2) {
			f.Add("%s: it has not two replicas", w)
		}
		if !slices.ContainsFunc(c.Budgets, func(b *policyv1.PodDisruptionBudget) bool {
			return b.Namespace == w.Namespace && matches(b.Spec.Selector, w.Template.Labels)
		}) {
			f.Add("%s: it has no PodDisruptionBudget", w)
		}
		if len(w.Template.Spec.TopologySpreadConstraints) == 0 {
			f.Add("%s: its replicas may all be on one node", w)
		}
		if w.Template.Annotations["prometheus.io/scrape"] != "true" || w.port(w.Template.Annotations["prometheus.io/port"]) == 0 {
			f.Add("%s: Prometheus does not find its metrics", w)
		}
	}
	return f
}
