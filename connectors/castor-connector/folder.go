package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// What is in a folder that `castor gateway join` makes.
const (
	folderSettings = "settings.env" // NAME=value, one a line
	folderSecrets  = "secrets"
	folderData     = "data"
)

// folder adds to the environment what a folder of settings says. The environment goes above it. Secrets are in the folder, and what
// is kept across restarts, wherever it is moved to.
func folder(dir string, env func(string) string) (func(string) string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	name := filepath.Join(dir, folderSettings)
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("--settings: %w; castor gateway join makes such a folder", err)
	}
	said := map[string]string{"CASTOR_SECRETS": filepath.Join(dir, folderSecrets), "CASTOR_DIR": filepath.Join(dir, folderData)}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || !strings.HasPrefix(key, "CASTOR_") {
			return nil, fmt.Errorf("--settings: %s, line %d must be CASTOR_…=value", name, n)
		}
		said[key] = strings.ReplaceAll(value, "${DIR}", dir)
	}
	return func(key string) string {
		if v := env(key); v != "" {
			return v
		}
		return said[key]
	}, lines.Err()
}
