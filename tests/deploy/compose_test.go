package deploy

import (
	"os"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions"
	"github.com/castor-iot/castor/infra/castor/secrets"
)

func readCompose(t *testing.T) Files {
	t.Helper()
	files, err := Read("infra/compose", "infra/kubernetes/stores/files", "infra/functions.yml", "infra/objects.yml", "stack.yml")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// made are the secrets that `castor init` makes.
func made(t *testing.T) (names []string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	plan := secrets.Plan{Hosts: []string{"castor.example"}, Gateways: []string{"operational-1", "provisioning-1", "operational-grpc-1", "provisioning-grpc-1", "operational-http-1", "provisioning-http-1"}, Mongo: "mongo:27017", Now: time.Now()}
	for _, f := range functions.All {
		plan.Functions = append(plan.Functions, f.Name)
	}
	r, err := secrets.Dir(dir).Make(plan)
	if err != nil {
		t.Fatal(err)
	}
	return r.Made
}

func TestCompose(t *testing.T) {
	for _, fault := range Compose(readCompose(t), made(t)) {
		t.Error(fault)
	}
}

func TestComposeMistakes(t *testing.T) {
	files, made := readCompose(t), made(t)
	for mistake, m := range map[string]struct{ file, old, new, want string }{
		"an unknown field":                   {composeFile, "pids_limit: 256", "pid_limit: 256", "pid_limit"},
		"a value of the wrong type":          {composeFile, "scale: 2", "scale: two", "scale"},
		"a network that is not declared":     {composeFile, "networks: [people, calls, bus]", "networks: [people, calls, buses]", "buses"},
		"a secret that is not declared":      {composeFile, "castor-part-identities]\n", "castor-part-dir]\n", "castor-part-dir"},
		"a secret too much":                  {composeFile, "castor-part-identities]\n", "castor-part-identities, castor-seal]\n", "castor-seal is too much"},
		"a secret that is missing":           {composeFile, "castor-part-users, castor-parts", "castor-part-users", "castor-parts is missing"},
		"a secret that nobody makes":         {composeFile, "secrets:\n  basic", "secrets:\n  castor-spare: {file: ./secrets/castor-spare}\n  basic", "castor init does not make it"},
		"a secret elsewhere":                 {composeFile, "./secrets/castor-seal", "/etc/castor-seal", "want /infra/compose/secrets/castor-seal"},
		"a config that is no file":           {composeFile, "file: ./haproxy.cfg", "file: ./haproxy.conf", "there is no file"},
		"a function that is missing":         {composeFile, "  identities:\n", "  identity:\n", "function identities is not in compose.yaml"},
		"another image":                      {composeFile, "castor}/alerts:", "castor}/alarms:", "castor}/alarms"},
		"a setting that is missing":          {composeFile, "      CASTOR_S3_ENDPOINT: minio:9000\n", "", "CASTOR_S3_ENDPOINT is not set"},
		"a function without a health check":  {composeFile, "/usr/bin/fwatchdog, -run-healthcheck", "/bin/true", "its health is not asked"},
		"a container that runs as root":      {composeFile, `user: "10001:10001"`, `user: "0:0"`, "it runs as root"},
		"an image that can be written":       {composeFile, "read_only: true", "read_only: false", "may write to its image"},
		"capabilities kept":                  {composeFile, "cap_drop: [ALL]", "cap_drop: [NET_RAW]", "keeps capabilities"},
		"a capability too much":              {composeFile, "cap_add: [CHOWN]", "cap_add: [CHOWN, SYS_ADMIN]", "keeps capabilities"},
		"privileges to be gained":            {composeFile, "no-new-privileges:true", "no-new-privileges:false", "may gain privileges"},
		"no limit of memory":                 {composeFile, "  mem_limit: 256m\n", "", "may take all memory"},
		"workers for drivers without room":   {composeFile, "mem_limit: 2g", "mem_limit: 1g", "does not hold GOMEMLIMIT, 3 driver workers"},
		"workers that are too small":         {composeFile, `CASTOR_DRIVER_MEMORY: "256"`, `CASTOR_DRIVER_MEMORY: "64"`, "256 at least"},
		"a function's workers without room":  {composeFile, "mem_limit: 1536m # four", "mem_limit: 1g # four", "drivers: its memory limit"},
		"a store that nobody asks":           {composeFile, "    healthcheck:\n      test: [CMD, mc, ready, local]\n      interval: 10s\n      timeout: 5s\n      retries: 5\n      start_period: 20s\n", "", "nobody asks whether it is healthy"},
		"no restart":                         {composeFile, "restart: unless-stopped", `restart: "no"`, "nobody starts it again"},
		"a log without a bound":              {composeFile, "max-size: 10m, ", "", "its log may fill the disk"},
		"a store of any version":             {composeFile, "mongo:8.0.12", "mongo:latest", "not pinned"},
		"a password in the environment":      {composeFile, "MONGO_INITDB_ROOT_PASSWORD_FILE: /run/secrets/mongo-root-password", "MONGO_INITDB_ROOT_PASSWORD: secret", "secrets are files"},
		"a store that is open":               {composeFile, "    networks: [bus]\n", "    networks: [bus]\n    ports: [\"4222:4222\"]\n", "only the balancer is"},
		"a folder of the machine":            {composeFile, `["mongo:/data/db"]`, `["/srv/mongo:/data/db"]`, "is a folder of the machine"},
		"a connector that reaches the store": {composeFile, "networks: [devices, calls, bus]", "networks: [devices, calls, bus, store]", "has no business there"},
		"a function without its store":       {composeFile, "networks: [calls, bus, store]", "networks: [calls, bus]", "cannot reach mongo"},
		"a network that leads outside":       {composeFile, "store: {internal: true}", "store: {}", "leads outside"},
		"a way past the user gateway":        {composeFile, "networks: [outside, people, devices, files]", "networks: [outside, people, devices, files, calls]", "past the user gateway"},
		"a setting that env.example forgot":  {composeDir + "/env.example", "CASTOR_OPERATIONAL=", "CASTOR_OPERATION=", "CASTOR_OPERATIONAL"},
		"a new function":                     {"stack.yml", "functions:\n", "functions:\n  brand-new:\n    image: castor/brand-new:latest\n", "brand-new of stack.yml is not in compose.yaml"},
	} {
		t.Run(mistake, func(t *testing.T) {
			planted, err := files.With(m.file, m.old, m.new)
			if err != nil {
				t.Fatal(err)
			}
			if faults := Compose(planted, made); !faults.Has(m.want) {
				t.Errorf("want a fault with %q, got %q", m.want, faults)
			}
		})
	}
}
