package gateway

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"

	"github.com/openfaas/faas-provider/types"
)

// Secrets are files that functions read, one for each, as in OpenFaaS. The gateway writes them and never reads them.

const maxSecret = 1 << 20

// validSecret is a DNS label, or several with dots between, as Kubernetes has it. It cannot leave its directory, and
// files that are being written (".new-…") cannot be named by it.
var validSecret = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)

func (g *Gateway) listSecrets(w http.ResponseWriter, r *http.Request) {
	secrets := []types.Secret{}
	if g.SecretsDir != "" && ourNamespace(r) {
		files, err := os.ReadDir(g.SecretsDir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			g.secretFailed(w, err)
			return
		}
		for _, f := range files {
			if f.Type().IsRegular() && validSecret.MatchString(f.Name()) {
				secrets = append(secrets, types.Secret{Name: f.Name(), Namespace: namespace})
			}
		}
	}
	answer(w, http.StatusOK, secrets)
}

func (g *Gateway) createSecret(w http.ResponseWriter, r *http.Request) {
	g.changeSecret(w, r, func(path string, exists bool, value []byte) (int, error) {
		if exists {
			return http.StatusConflict, nil
		}
		return http.StatusCreated, replaceFile(path, value)
	})
}

func (g *Gateway) updateSecret(w http.ResponseWriter, r *http.Request) {
	g.changeSecret(w, r, func(path string, exists bool, value []byte) (int, error) {
		if !exists {
			return http.StatusNotFound, nil
		}
		return http.StatusOK, replaceFile(path, value)
	})
}

func (g *Gateway) deleteSecret(w http.ResponseWriter, r *http.Request) {
	g.changeSecret(w, r, func(path string, exists bool, _ []byte) (int, error) {
		if !exists {
			return http.StatusNotFound, nil
		}
		return http.StatusOK, os.Remove(path)
	})
}

func (g *Gateway) changeSecret(w http.ResponseWriter, r *http.Request, change func(path string, exists bool, value []byte) (int, error)) {
	var secret types.Secret
	if err := json.NewDecoder(r.Body).Decode(&secret); err != nil {
		problem(w, http.StatusBadRequest, "want JSON with name and value, or rawValue in base64")
		return
	}
	value := secret.RawValue
	if len(value) == 0 {
		value = []byte(secret.Value)
	}
	switch {
	case g.SecretsDir == "":
		problem(w, http.StatusNotImplemented, "this gateway has no directory for secrets")
		return
	case !validSecret.MatchString(secret.Name):
		problem(w, http.StatusBadRequest, "name must have lower case letters, digits, '-' and '.', and begin and end with a letter or digit")
		return
	case secret.Namespace != "" && secret.Namespace != namespace:
		problem(w, http.StatusNotFound, "the only namespace is "+namespace)
		return
	case len(value) > maxSecret:
		problem(w, http.StatusRequestEntityTooLarge, "a secret may have 1 MiB at most")
		return
	}
	path := filepath.Join(g.SecretsDir, secret.Name)
	_, err := os.Lstat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		g.secretFailed(w, err)
		return
	}
	status, err := change(path, err == nil, value)
	switch {
	case err != nil:
		g.secretFailed(w, err)
	case status == http.StatusConflict:
		problem(w, status, "there is a secret of this name already")
	case status == http.StatusNotFound:
		problem(w, status, "there is no secret of this name")
	default:
		g.Log.InfoContext(r.Context(), "secret changed", "secret", secret.Name, "by", r.Method)
		w.WriteHeader(status)
	}
}

func (g *Gateway) secretFailed(w http.ResponseWriter, err error) {
	g.Log.Error("secrets not accessible", "error", err)
	problem(w, http.StatusInternalServerError, "")
}

// replaceFile writes a file whole or not at all, for its owner's eyes only.
func replaceFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
