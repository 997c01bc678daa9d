// Package house holds the rules of this repository's own house: who may import whom, that every package says its job, and that
// folders, functions.All, stack.yml and openapi.yaml agree. Its tests read the files themselves, because a test that asks the
// go command is cached and stays green on a planted fault. It checks form; whether the platform works is for tests/e2e.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Module is the path of the one module.
const Module = "github.com/castor-iot/castor"

// A Package is one folder of Go files.
type Package struct {
	Dir   string // below the root, with slashes: "shared/twin"
	Files []File
}

// A File is one Go file.
type File struct {
	Path  string // below the root
	Test  bool
	Lines int
	Text  string
	AST   *ast.File
}

// Imports are the packages of ours that the file imports, as folders below the root, and the foreign ones, as they are.
func (f File) Imports() (ours, foreign []string) {
	for _, i := range f.AST.Imports {
		p := strings.Trim(i.Path.Value, `"`)
		if dir, ok := strings.CutPrefix(p, Module+"/"); ok {
			ours = append(ours, dir)
		} else if first, _, _ := strings.Cut(p, "/"); strings.Contains(first, ".") {
			foreign = append(foreign, p)
		}
	}
	return ours, foreign
}

// Packages reads every Go package below root, but for folders that Go itself passes over and other modules.
func Packages(root string) (map[string]*Package, error) {
	all := map[string]*Package{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, file)
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			name := d.Name()
			if rel != "." && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "node_modules" || rel == "template" || rel == "bin" || rel == "build") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		tree, err := parser.ParseFile(token.NewFileSet(), rel, text, parser.ParseComments)
		if err != nil {
			return err
		}
		dir := path.Dir(rel)
		if all[dir] == nil {
			all[dir] = &Package{Dir: dir}
		}
		all[dir].Files = append(all[dir].Files, File{Path: rel, Test: strings.HasSuffix(rel, "_test.go"),
			Lines: strings.Count(string(text), "\n"), Text: string(text), AST: tree})
		return nil
	})
	return all, err
}
