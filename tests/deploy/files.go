package deploy

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// root is the repository.
const root = "../.."

// Files are files of the repository by their path below its root, so that a test can change one and look at what comes of it.
type Files map[string]string

// Read reads all files below the folders, and the single files, that are named.
func Read(names ...string) (Files, error) {
	all := Files{}
	for _, name := range names {
		err := filepath.WalkDir(filepath.Join(root, name), func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				if err == nil && d.Name() == "secrets" {
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

// A Faults collects what is wrong.
type Faults []string

// Add notes a fault.
func (f *Faults) Add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

// Has tells whether one of the faults contains text.
func (f Faults) Has(text string) bool {
	return strings.Contains(strings.Join(f, "\n"), text)
}
