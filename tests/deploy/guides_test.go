package deploy

import "testing"

func everything(t *testing.T) (Files, *Programs, []string) {
	t.Helper()
	files, err := Read("infra", "docs", "functions", "template", "stack.yml", "Makefile", "shared/platform", "connectors/castor-connector")
	if err != nil {
		t.Fatal(err)
	}
	programs, err := BuildPrograms(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return files, programs, made(t)
}

const (
	kubernetesGuide = "docs/kubernetes.md"
	composeGuide    = "docs/compose.md"
)

func said(files Files, programs *Programs, secrets []string) Faults {
	f := Settings(files, programs)
	f = append(f, Guide(files, kubernetesGuide, programs, secrets)...)
	return append(f, Guide(files, composeGuide, programs, secrets)...)
}

func TestGuidesAndSettings(t *testing.T) {
	files, programs, secrets := everything(t)
	for _, fault := range said(files, programs, secrets) {
		t.Error(fault)
	}
	const base = "infra/kubernetes/base/"
	for mistake, m := range map[string]struct{ file, old, new, want string }{
		"a setting that a connector does not read":  {base + "operational.yaml", "CASTOR_DIR", "CASTOR_FOLDER", "does not read CASTOR_FOLDER"},
		"a setting that a connector requires":       {base + "castor.env", "CASTOR_NATS_URL=", "CASTOR_NATS=", "requires CASTOR_NATS_URL"},
		"a connector that there is none of":         {base + "events.yaml", "args: [events]", "args: [event]", `no command "event"`},
		"a setting that no function reads":          {"infra/functions.yml", "CASTOR_PROVISIONING:", "CASTOR_PROVISION:", "nothing reads CASTOR_PROVISION"},
		"a connector in compose without its id":     {composeFile, "CASTOR_GATEWAY_ID: operational-1", "CASTOR_GATEWAY: operational-1", "requires CASTOR_GATEWAY_ID"},
		"a flag that castor serve has not":          {composeFile, "--upstream", "--upstreams", "has no flag --upstreams"},
		"a setting in compose that no function has": {composeFile, "      CASTOR_SMTP_FROM: $", "      CASTOR_MAIL_FROM: $", "nothing reads CASTOR_MAIL_FROM"},
		"a setting in env.example that nobody uses": {composeDir + "/env.example", "CASTOR_REGION=", "CASTOR_PLACE=", "does not use CASTOR_PLACE"},
		"a guide with a command there is none of":   {kubernetesGuide, "castor twin list", "castor twins list", "there is no command twins"},
		"a guide with a flag there is none of":      {kubernetesGuide, "--offline-after", "--silent-after", "has no flag --silent-after"},
		"a guide with a flag of the agent's":        {composeGuide, "castor-agent run --claim", "castor-agent run --claims", "has no flag --claims"},
		"a guide with a target there is none of":    {kubernetesGuide, "make images", "make image", "no target image"},
		"a guide with a file there is none of":      {kubernetesGuide, "`infra/objects.yml`", "`infra/s3.yml`", "there is no infra/s3.yml"},
		"a guide with an object there is none of":   {kubernetesGuide, "rollout status statefulset/nats", "rollout status statefulset/bus", "there is no statefulset bus"},
		"a guide that scales what there is none of": {kubernetesGuide, "scale statefulset operational provisioning ", "scale statefulset operation provisioning ", "there is no statefulset operation"},
		"a guide with a secret nobody makes":        {kubernetesGuide, `"$S/castor-admin"`, `"$S/castor-root"`, "castor init makes no castor-root"},
		"a guide with a setting nobody reads":       {kubernetesGuide, "`CASTOR_S3_TLS`", "`CASTOR_S3_HTTPS`", "nothing reads CASTOR_S3_HTTPS"},
		"a guide with a service there is none of":   {composeGuide, "--since 10m users", "--since 10m user", "compose.yaml has no service user"},
		"a guide that scales a service of the past": {composeGuide, "--scale twin-ingest=3", "--scale ingest=3", "compose.yaml has no service ingest"},
		"a guide with a copy of what is not there":  {composeGuide, "cp infra/compose/env.example", "cp infra/compose/env.sample", "there is no infra/compose/env.sample"},
		"a guide with a file that the copy has not": {kubernetesGuide, "`infra/kubernetes/mine/operational.env`", "`infra/kubernetes/mine/mqtt.env`", "there is no infra/kubernetes/getting-started/mqtt.env"},
		"a guide that is gone":                      {kubernetesGuide, files[kubernetesGuide], "", "there is no docs/kubernetes.md"},
		"a guide with a flag of another time":       {composeGuide, "castor init infra/compose/secrets --renew", "castor init infra/compose/secrets --rotate", "has no flag --rotate"},
	} {
		t.Run(mistake, func(t *testing.T) {
			planted, err := files.With(m.file, m.old, m.new)
			if err != nil {
				t.Fatal(err)
			}
			if faults := said(planted, programs, secrets); !faults.Has(m.want) {
				t.Errorf("want a fault with %q, got %q", m.want, faults)
			}
		})
	}
}
