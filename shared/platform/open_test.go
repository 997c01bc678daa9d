package platform

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a process cannot start with is said in one sentence that names it and the remedy, before anything is dialled.
func TestWhatOpenNeeds(t *testing.T) {
	good := map[string]string{"CASTOR_NATS_URL": "nats://127.0.0.1:1", "CASTOR_GATEWAY_URL": "http://127.0.0.1:1", "CASTOR_MONGO_URL": "mongodb://127.0.0.1:1/castor"}
	for name, test := range map[string]struct {
		env     map[string]string
		secrets map[string]string
		says    string
	}{
		"no bus":                    {env: map[string]string{"CASTOR_NATS_URL": ""}, says: "CASTOR_NATS_URL is not set"},
		"no gateway":                {env: map[string]string{"CASTOR_GATEWAY_URL": ""}, says: "CASTOR_GATEWAY_URL is not set"},
		"no MongoDB":                {env: map[string]string{"CASTOR_MONGO_URL": ""}, says: "neither CASTOR_MONGO_URL is set nor is there a secret"},
		"MongoDB's secret is empty": {secrets: map[string]string{"castor-mongo-url": "\n"}, says: "castor-mongo-url is empty"},
		"MongoDB's secret is none":  {secrets: map[string]string{"castor-mongo-url": "mongo"}, says: "must begin with mongodb://"},
		"the token is empty":        {secrets: map[string]string{"castor-nats-token": ""}, says: "castor-nats-token is empty"},
		"credentials are missing":   {env: map[string]string{"CASTOR_NATS_CREDS": "/none"}, says: "CASTOR_NATS_CREDS"},
		"replicas that are none":    {env: map[string]string{"CASTOR_NATS_REPLICAS": "2"}, says: "CASTOR_NATS_REPLICAS=\"2\" must be 1, 3 or 5"},
		"a switch that is none":     {env: map[string]string{"CASTOR_S3_TLS": "yes please"}, says: "CASTOR_S3_TLS must be true or false"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for name, value := range test.secrets {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Open(t.Context(), func(name string) string {
				if v, ok := test.env[name]; ok {
					return v
				}
				if name == "CASTOR_SECRETS" {
					return dir
				}
				return good[name]
			})
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("it says %v, want %q", err, test.says)
			}
		})
	}
}

func TestMongoURLOfTheSecretGoesFirst(t *testing.T) {
	dir := t.TempDir()
	env := func(name string) string {
		return map[string]string{"CASTOR_MONGO_URL": "mongodb://environment/castor"}[name]
	}
	if at, err := mongoURL(env, SecretFiles(dir)); err != nil || at != "mongodb://environment/castor" {
		t.Errorf("%q, %v", at, err)
	}
	if err := os.WriteFile(filepath.Join(dir, SecretMongoURL), []byte("mongodb://secret/castor\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if at, err := mongoURL(env, SecretFiles(dir)); err != nil || at != "mongodb://secret/castor" {
		t.Errorf("%q, %v", at, err)
	}
}

// A secret that is missing, empty, unreadable or no secret at all is told by its name, with the remedy.
func TestSecretsThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int{"empty": 0, "large": maxSecret + 1} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("x", size)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("loop", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		says         string
		none, absent bool // ErrNoSecret, os.ErrNotExist
	}{
		"missing": {"castor init makes it", true, true},
		"empty":   {"is empty", true, false},
		"large":   {"more than 1 MiB", false, false},
		"folder":  {"cannot be read", false, false},
		"loop":    {"make it readable", false, false},
	} {
		_, err := SecretFiles(dir)(name)
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), test.says) || errors.Is(err, ErrNoSecret) != test.none || errors.Is(err, os.ErrNotExist) != test.absent {
			t.Errorf("%s: %v", name, err)
		}
	}
}
