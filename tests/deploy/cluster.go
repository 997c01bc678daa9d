package deploy

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// A Cluster is what `kubectl apply -k` would make, decoded.
type Cluster struct {
	Workloads       []Workload
	Services        []*corev1.Service
	ServiceAccounts []*corev1.ServiceAccount
	ConfigMaps      []*corev1.ConfigMap
	Secrets         []*corev1.Secret
	Policies        []*networkingv1.NetworkPolicy
	Budgets         []*policyv1.PodDisruptionBudget
	Scalers         []*autoscalingv2.HorizontalPodAutoscaler
	Namespaces      []*corev1.Namespace

	all []metav1.Object
}

// A Workload is a StatefulSet, Deployment or Job, as far as they are alike.
type Workload struct {
	Kind, Namespace, Name string
	Replicas              *int32
	Selector              *metav1.LabelSelector // nil for a Job
	Template              corev1.PodTemplateSpec
	Claims                []corev1.PersistentVolumeClaim
	ServiceName           string // of a StatefulSet
}

func (w Workload) String() string { return w.Kind + " " + w.Namespace + "/" + w.Name }

// secretFile is a file that a kustomization takes from the folder that `castor init` makes.
var secretFile = regexp.MustCompile(`(?m)^\s*- (?:[\w.-]+=)?(secrets/[\w.-]+)$`)

// Build makes the objects of a kustomization. Secrets' files are made up, for each that it names.
func (f Files) Build(dir string) (*Cluster, error) {
	return clusters.of(f, dir, []string{"infra/kubernetes/"}, func() (*Cluster, error) { return f.build(dir) })
}

var clusters memo[*Cluster]

func (f Files) build(dir string) (*Cluster, error) {
	disk := filesys.MakeFsInMemory()
	for name, text := range f {
		if err := disk.WriteFile("/"+name, []byte(text)); err != nil {
			return nil, err
		}
	}
	for _, m := range secretFile.FindAllStringSubmatch(f[path.Join(dir, "kustomization.yaml")], -1) {
		if err := disk.WriteFile("/"+path.Join(dir, m[1]), []byte("made up")); err != nil {
			return nil, err
		}
	}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, "/"+dir)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, autoscalingv2.AddToScheme, batchv1.AddToScheme, corev1.AddToScheme,
		networkingv1.AddToScheme, policyv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	strict := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	c := &Cluster{}
	for _, r := range resources.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			return nil, err
		}
		object, _, err := strict.Decode(text, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.GetKind(), r.GetName(), err)
		}
		if err := c.add(object); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *Cluster) add(object runtime.Object) error {
	switch o := object.(type) {
	case *appsv1.StatefulSet:
		c.Workloads = append(c.Workloads, Workload{"StatefulSet", o.Namespace, o.Name, o.Spec.Replicas, o.Spec.Selector, o.Spec.Template, o.Spec.VolumeClaimTemplates, o.Spec.ServiceName})
	case *appsv1.Deployment:
		c.Workloads = append(c.Workloads, Workload{"Deployment", o.Namespace, o.Name, o.Spec.Replicas, o.Spec.Selector, o.Spec.Template, nil, ""})
	case *batchv1.Job:
		c.Workloads = append(c.Workloads, Workload{"Job", o.Namespace, o.Name, nil, nil, o.Spec.Template, nil, ""})
	case *corev1.Service:
		c.Services = append(c.Services, o)
	case *corev1.ServiceAccount:
		c.ServiceAccounts = append(c.ServiceAccounts, o)
	case *corev1.ConfigMap:
		c.ConfigMaps = append(c.ConfigMaps, o)
	case *corev1.Secret:
		c.Secrets = append(c.Secrets, o)
	case *networkingv1.NetworkPolicy:
		c.Policies = append(c.Policies, o)
	case *policyv1.PodDisruptionBudget:
		c.Budgets = append(c.Budgets, o)
	case *autoscalingv2.HorizontalPodAutoscaler:
		c.Scalers = append(c.Scalers, o)
	case *corev1.Namespace:
		c.Namespaces = append(c.Namespaces, o)
	default:
		return fmt.Errorf("%T: tests/deploy does not know how to check it", object)
	}
	c.all = append(c.all, object.(metav1.Object))
	return nil
}

// containers are those of a workload, with the ones that only begin.
func (w Workload) containers() []corev1.Container {
	return append(slices.Clone(w.Template.Spec.InitContainers), w.Template.Spec.Containers...)
}

// port is the number of a container port by its name or number, 0 if there is none.
func (w Workload) port(name string) int32 {
	for _, c := range w.containers() {
		for _, p := range c.Ports {
			if p.Name == name || fmt.Sprint(p.ContainerPort) == name {
				return p.ContainerPort
			}
		}
	}
	return 0
}

// base is a generated name without the hash of its contents.
func base(name string) string {
	if i := strings.LastIndex(name, "-"); i > 0 && len(name)-i == 11 {
		return name[:i]
	}
	return name
}
