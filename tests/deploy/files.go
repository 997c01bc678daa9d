package deploy

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// root is the repository.
const root = "../.."

// Files are files of the repository by their path below its root, so that a test can change one and look at what comes of it.
type Files map[string]string

// Read reads all files below the folders, and the single files, that are named, but for secrets and what npm has installed.
func Read(names ...string) (Files, error) {
	all := Files{}
	for _, name := range names {
		err := filepath.WalkDir(filepath.Join(root, name), func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				if err == nil && (d.Name() == "secrets" || d.Name() == "node_modules") {
					return filepath.SkipDir
				}
				return err
			}
			b, err := os.ReadFile(file)
			rel, _ := filepath.Rel(root, file)
			all[filepath.ToSlash(rel)] = string(b)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// With is a copy in which the first old of a file is new. It returns an error if there is none: a planted mistake that no longer fits.
func (f Files) With(name, old, new string) (Files, error) {
	if !strings.Contains(f[name], old) {
		return nil, fmt.Errorf("%s has no %q", name, old)
	}
	changed := Files{}
	for k, v := range f {
		changed[k] = v
	}
	changed[name] = strings.Replace(f[name], old, new, 1)
	return changed, nil
}

// A memo keeps what was made of files: most mistakes touch one, and need not have all others read again. What it returns is not changed.
type memo[T any] struct {
	mu   sync.Mutex
	made map[[sha256.Size]byte]T
}

// of returns what make makes of those of the files whose names begin with one of the prefixes.
func (m *memo[T]) of(files Files, key string, prefixes []string, make func() (T, error)) (T, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%q", key)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			fmt.Fprintf(h, "%q%q", name, files[name])
		}
	}
	k := [sha256.Size]byte(h.Sum(nil))
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.made[k]; ok {
		return v, nil
	}
	v, err := make()
	if err == nil {
		if m.made == nil {
			m.made = map[[sha256.Size]byte]T{}
		}
		m.made[k] = v
	}
	return v, err
}

// A Faults collects what is wrong.
type Faults []string

// Add notes a fault.
func (f *Faults) Add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

// Has tells whether one of the faults contains text.
func (f Faults) Has(text string) bool {
	return strings.Contains(strings.Join(f, "\n"), text)
}
