package deploy

import "testing"

func mounted(files Files) Faults {
	return append(append(SecretFiles(files), Bus(files)...), Balancer(files)...)
}

func TestSecretsBusAndBalancer(t *testing.T) {
	files, err := Read("infra/kubernetes", "infra/compose", "stack.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range mounted(files) {
		t.Error(fault)
	}
	const stores, start, haproxy = "infra/kubernetes/stores/", gettingStarted + "/", composeDir + "/haproxy.cfg"
	for mistake, m := range map[string]struct{ file, old, new, want string }{
		"a secret that a store looks for":       {start + "kustomization.yaml", "      - secrets/mongo-root-password\n", "", "no file /run/secrets/mongo-root-password"},
		"a secret that a script looks for":      {stores + "files/init.sh", "castor-s3-access", "castor-s3-user", "no file /run/secrets/castor-s3-user"},
		"a secret too much on Kubernetes":       {start + "kustomization.yaml", "      - secrets/castor-part-events\n", "      - secrets/castor-part-events\n      - secrets/castor-seal\n", "castor-seal is too much"},
		"a secret too few in compose":           {composeFile, "    secrets: [mongo-root-password, mongo-password]\n", "    secrets: [mongo-root-password]\n", "no file /run/secrets/mongo-password"},
		"a bus that anybody may enter":          {stores + "files/nats.conf", "  token: $NATS_TOKEN\n", "", "anybody may enter"},
		"a bus that keeps its disk waiting":     {stores + "files/nats.conf", "  sync_interval: always", "  sync_interval: 2m", "is not on disk"},
		"a bus with small messages":             {stores + "files/nats.conf", "max_payload: 8MB", "max_payload: 1MB", "a message may have"},
		"a bus with a spelling mistake":         {stores + "files/nats.conf", "store_dir", "store_folder", "store_folder"},
		"a bus without room":                    {stores + "files/nats.conf", "8GB", "1GB", "too few for the streams"},
		"a server that there is none of":        {haproxy, "operational-b:8883", "operational-c:8883", "no service operational-c"},
		"a server on another port":              {haproxy, "operational-b:8883", "operational-b:8884", "does not listen on 8884"},
		"a port that nobody publishes":          {haproxy, "bind :8884", "bind :8885", "port 8885 is not published"},
		"a gateway that limits its balancer":    {composeFile, "    CASTOR_BALANCERS: ${CASTOR_DEVICES_NETWORK:-172.30.83.0/24}\n", "", "one bad device or person has all turned away"},
		"a user gateway that believes nobody":   {composeFile, "      CASTOR_BALANCERS: ${CASTOR_PEOPLE_NETWORK:-172.30.84.0/24} # who tells where people's calls come from\n", "", "gateway: CASTOR_BALANCERS"},
		"a gateway that knows another balancer": {composeFile, "subnet: \"${CASTOR_DEVICES_NETWORK:-172.30.83.0/24}\"", "subnet: 10.9.0.0/24", "one bad device or person has all turned away"},
	} {
		t.Run(mistake, func(t *testing.T) {
			planted, err := files.With(m.file, m.old, m.new)
			if err != nil {
				t.Fatal(err)
			}
			if faults := mounted(planted); !faults.Has(m.want) {
				t.Errorf("want a fault with %q, got %q", m.want, faults)
			}
		})
	}
}
