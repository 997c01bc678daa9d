package deploy

import "testing"

func kubernetesFiles(t *testing.T) Files {
	t.Helper()
	files, err := Read("infra/kubernetes", "infra/functions.yml", "infra/objects.yml", "stack.yml")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestKubernetes(t *testing.T) {
	for _, fault := range Kubernetes(kubernetesFiles(t)) {
		t.Error(fault)
	}
}

// base and functions are what an operator with stores of their own builds on.
func TestKubernetesWithoutStores(t *testing.T) {
	files := kubernetesFiles(t)
	for _, dir := range []string{"base", "functions", "stores"} {
		if _, err := files.Build("infra/kubernetes/" + dir); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestKubernetesMistakes(t *testing.T) {
	files := kubernetesFiles(t)
	const base, functions, stores, start = "infra/kubernetes/base/", "infra/kubernetes/functions/", "infra/kubernetes/stores/", gettingStarted + "/"
	for mistake, m := range map[string]struct{ file, old, new, want string }{
		"an unknown field":                      {base + "operational.yaml", "enableServiceLinks: false", "enableServiceLink: false", `unknown field`},
		"a field twice":                         {base + "events.yaml", "  replicas: 2\n", "  replicas: 2\n  replicas: 3\n", `already`},
		"a value of the wrong type":             {base + "events.yaml", "terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: soon", "Deployment"},
		"a selector for other pods":             {base + "events.yaml", "    matchLabels:\n      app.kubernetes.io/name: events\n  template", "    matchLabels:\n      app.kubernetes.io/name: event\n  template", "its selector does not match"},
		"a secret that nobody makes":            {base + "events.yaml", "secretName: castor-events", "secretName: castor-event", "there is no secret castor-event"},
		"a secret that nobody reads":            {start + "kustomization.yaml", "secretGenerator:\n", "secretGenerator:\n  - name: castor-spare\n    namespace: castor\n    files: [kustomization.yaml]\n", "nobody reads it"},
		"a config map that there is none of":    {stores + "mongo.yaml", "name: mongo-init", "name: mongo-start", "there is no config map mongo-start"},
		"a volume that is not declared":         {base + "operational.yaml", "- name: data\n              mountPath", "- name: state\n              mountPath", "there is no volume state"},
		"a service account of nobody":           {base + "events.yaml", "serviceAccountName: castor-connector", "serviceAccountName: castor", "there is no service account"},
		"a service that selects nothing":        {stores + "mongo.yaml", "  selector:\n    app.kubernetes.io/name: mongo", "  selector:\n    app.kubernetes.io/name: mongodb", "it selects no pods"},
		"a service for a port nobody has":       {base + "operational.yaml", "targetPort: mqtts", "targetPort: mqtt", "has no port mqtt"},
		"a stateful set without its service":    {stores + "nats.yaml", "serviceName: nats", "serviceName: bus", "there is no headless service bus"},
		"a namespace that there is none of":     {base + "kustomization.yaml", "  - namespace.yaml\n", "", "there is no namespace castor"},
		"a probe of a port nobody has":          {base + "events.yaml", "path: /readyz\n              port: metrics", "path: /readyz\n              port: health", "a probe asks port health"},
		"a missing probe":                       {stores + "minio.yaml", "livenessProbe:", "x", "minio"},
		"a container that may become root":      {base + "operational.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "it may run as root"},
		"no seccomp profile":                    {base + "operational.yaml", "type: RuntimeDefault", "type: Unconfined", "it has no seccomp profile"},
		"privileges to be gained":               {base + "events.yaml", "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "may gain privileges"},
		"an image that can be written":          {stores + "nats.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "may write to its image"},
		"capabilities kept":                     {base + "provisioning.yaml", "drop: [ALL]", "drop: [NET_RAW]", "keeps capabilities"},
		"a token of the Kubernetes API":         {base + "events.yaml", "automountServiceAccountToken: false", "automountServiceAccountToken: true", "token of the Kubernetes API"},
		"no limit of memory":                    {base + "events.yaml", "cpu: \"1\"\n              memory: 256Mi", "cpu: \"1\"", "does not say what it needs"},
		"a soft limit above the hard one":       {base + "operational.yaml", "900MiB", "2100MiB", "GOMEMLIMIT 2100MiB is not below"},
		"workers for drivers without room":      {base + "operational.yaml", "memory: 2Gi", "memory: 1Gi", "does not hold GOMEMLIMIT, 3 driver workers"},
		"workers for drivers without number":    {base + "operational-http.yaml", "CASTOR_DRIVER_WORKERS", "CASTOR_DRIVERS", "CASTOR_DRIVER_WORKERS must say"},
		"a function's workers without room":     {"stack.yml", "memory: 1536Mi", "memory: 1Gi", "function drivers: its memory limit"},
		"an image of any version":               {stores + "mongo.yaml", "mongo:8.0.12", "mongo:8", "not pinned"},
		"a secret in the environment":           {base + "events.yaml", "- configMapRef:\n                name: castor\n", "- secretRef:\n                name: castor\n", "secrets are files"},
		"a secret that everybody may read":      {base + "events.yaml", "defaultMode: 0440", "defaultMode: 0444", "everybody in the pod may read"},
		"a temporary folder without a bound":    {stores + "mongo.yaml", "emptyDir:\n            sizeLimit: 16Mi", "emptyDir: {}", "has no bound"},
		"a budget that forbids every drain":     {base + "events.yaml", "  maxUnavailable: 1\n  selector", "  maxUnavailable: 0\n  selector", "no node can be drained"},
		"a budget for nobody":                   {base + "operational.yaml", "  maxUnavailable: 1\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: operational", "  maxUnavailable: 1\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: gateway", "it matches no pods"},
		"a scaler of nothing":                   {base + "operational.yaml", "kind: StatefulSet\n    name: operational", "kind: Deployment\n    name: operational", "there is no Deployment operational"},
		"a number of replicas beside a scaler":  {base + "operational.yaml", "  serviceName: operational-replicas\n", "  serviceName: operational-replicas\n  replicas: 2\n", "undoes what the autoscaler decided"},
		"one replica only":                      {start + "kustomization.yaml", "{name: events, count: 2}", "{name: events, count: 1}", "it has not two replicas"},
		"metrics where there is no port":        {base + "events.yaml", `prometheus.io/port: "9102"`, `prometheus.io/port: "9100"`, "Prometheus does not find"},
		"no default":                            {base + "network.yaml", "  podSelector: {}\n", "  podSelector:\n    matchLabels:\n      a: b\n", "no policy denies"},
		"a policy for nobody":                   {stores + "network.yaml", "    matchLabels:\n      app.kubernetes.io/name: mongo\n", "    matchLabels:\n      app.kubernetes.io/name: mongodb\n", "it selects nothing"},
		"a policy for a port nobody has":        {stores + "network.yaml", "- port: mongo", "- port: mongodb", "has no port mongodb"},
		"a rule for pods that do not exist":     {base + "network.yaml", "app.kubernetes.io/name: nats", "app.kubernetes.io/name: bus", "names pods that do not exist"},
		"a store that anybody reaches":          {stores + "network.yaml", "          podSelector:\n            matchLabels:\n              app.kubernetes.io/part-of: castor\n      ports:\n        - port: mongo", "        - namespaceSelector: {}\n      ports:\n        - port: mongo", "let through"},
		"a connector that cannot reach the bus": {base + "network.yaml", "- port: 4222", "- port: 4223", "held back"},
		"functions that nothing holds":          {functions + "network.yaml", "app.kubernetes.io/part-of: castor", "app: castor", "function configurations: no NetworkPolicy"},
		"functions that drain together":         {functions + "disruption.yaml", "app.kubernetes.io/part-of: castor", "app: castor", "function configurations: no PodDisruptionBudget"},
		"functions without their label":         {"stack.yml", "    app.kubernetes.io/part-of: castor", "    part-of: castor", "function configurations: no NetworkPolicy"},
		"a policy for a function of the past":   {functions + "network.yaml", "values: [artifacts, drivers, twins]", "values: [files]", "castor-objects: it selects nothing"},
		"an address of no service":              {base + "castor.env", "nats.castor:4222", "bus.castor:4222", "there is no service bus"},
		"functions on another bus":              {"infra/functions.yml", "nats.castor:4222", "nats-2.castor:4222", "there is no service nats-2"},
		"claims for another address":            {start + "provisioning.env", "provisioning.castor.example", "prov.castor.example", "claims tell devices to dial"},
		"devices dial another port":             {start + "operational.env", ":8883", ":8884", "devices are told to dial"},
		"a new function that nobody deployed":   {"stack.yml", "functions:\n", "functions:\n  brand-new:\n    image: castor/brand-new:latest\n", "function brand-new"},
	} {
		t.Run(mistake, func(t *testing.T) {
			planted, err := files.With(m.file, m.old, m.new)
			if err != nil {
				t.Fatal(err)
			}
			if faults := Kubernetes(planted); !faults.Has(m.want) {
				t.Errorf("want a fault with %q, got %q", m.want, faults)
			}
		})
	}
}
