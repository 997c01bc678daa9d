package images

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Programs makes the programs of the images that are no functions, castor and castor-connector, in dir, from what the
// .dockerignore of infra/images lets into their context, and returns where they are.
func Programs(dir string) (map[string]string, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	context, err := os.MkdirTemp("", "castor-context-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(context)
	dockerfile := filepath.Join(root, "infra", "images", "Dockerfile")
	ignored, err := ignoredBy(dockerfile + ".dockerignore")
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil || rel == "." {
			return err
		}
		if ignored(filepath.ToSlash(rel)) {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		return copyTo(filepath.Join(context, rel), file)
	})
	if err != nil {
		return nil, err
	}
	if err := compile(context, dockerfile, "/programs/", dir); err != nil {
		return nil, err
	}
	return map[string]string{"castor": filepath.Join(dir, "castor"), "castor-connector": filepath.Join(dir, "castor-connector")}, nil
}

// ignoredBy reads a .dockerignore, as far as ours go: the last line that fits counts, "!" takes back, "**/" is any folder. What
// lies in a folder that is left out is left out, too. Where there is no such file, nothing is.
func ignoredBy(file string) (func(rel string) bool, error) {
	b, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	return func(rel string) (ignored bool) {
		for line := range strings.Lines(string(b)) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			pattern, back := strings.CutPrefix(line, "!")
			if fits(pattern, rel) {
				ignored = !back
			}
		}
		return ignored
	}, nil
}

// fits tells whether a pattern names a path or a folder above it.
func fits(pattern, rel string) bool {
	pattern, anywhere := strings.CutPrefix(pattern, "**/")
	for ; rel != "."; rel = path.Dir(rel) {
		for tail := rel; ; {
			if ok, _ := path.Match(pattern, tail); ok {
				return true
			}
			_, rest, more := strings.Cut(tail, "/")
			if !anywhere || !more {
				break
			}
			tail = rest
		}
	}
	return false
}
