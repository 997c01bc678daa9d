package images_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/castor-iot/castor/tests/images"
)

// repository makes a small one of files, each of them holding its own path.
func repository(t *testing.T, stack string, files ...string) string {
	t.Helper()
	root := t.TempDir()
	put := func(path, text string) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("stack.yml", stack)
	for _, f := range files {
		text := f
		if path, rest, ok := strings.Cut(f, "="); ok {
			f, text = path, rest
		}
		put(f, text)
	}
	return root
}

const smallStack = `
configuration: {copy: [go.mod, shared]}
x-function: &function {lang: small, image: "${REGISTRY:-castor}/pump:latest"}
functions:
  pump: {<<: *function, handler: ./functions/pump}
`

// The layout is that of faas-cli's builder: the template at the root, over it the handler's folder without "build" and
// "template", and what is to be copied inside the handler's folder; without what Docker is told to ignore.
func TestShrinkwrap(t *testing.T) {
	root := repository(t, smallStack, "go.mod", "shared/a/a.go", "shared/a/build/kept", "functions/pump/handler.go", "functions/pump/.hidden",
		"functions/pump/build/left", "functions/pump/template/left", "functions/fan/handler.go", "functions/pump/ui/node_modules/left.go",
		"functions/pump/ui/main.ts", "functions/pump/dist/ui/index.html", "shared/a/a_test.go",
		"template/small/Dockerfile", "template/small/.dockerignore=Dockerfile\ncode/ui\n**/*_test.go", "template/small/go.mod", "template/small/template.yml=handler_folder: code")
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "pump", "old"), 0o755); err != nil {
		t.Fatal(err)
	}
	context, err := images.Shrinkwrap(dir, root, "pump")
	if err != nil || context != filepath.Join(dir, "pump") {
		t.Fatalf("%s, %v", context, err)
	}
	var got []string
	err = filepath.WalkDir(context, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, strings.TrimPrefix(path, context+"/"))
		}
		return err
	})
	want := []string{".dockerignore", "Dockerfile", "code/.hidden", "code/dist/ui/index.html", "code/go.mod", "code/handler.go", "code/shared/a/a.go", "code/shared/a/build/kept", "go.mod", "template.yml"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("the context has\n%v, want\n%v (%v)", got, want, err)
	}
	for file, from := range map[string]string{"go.mod": "template/small/go.mod", "code/go.mod": "go.mod"} {
		if b, err := os.ReadFile(filepath.Join(context, file)); err != nil || string(b) != from {
			t.Errorf("%s is %q, want what %s is (%v)", file, b, from, err)
		}
	}
	s, err := images.ReadStack(root)
	if err != nil || s.Functions["pump"].Image != "castor/pump:latest" {
		t.Errorf("the image is %q, %v", s.Functions["pump"].Image, err)
	}
}

func TestShrinkwrapRefuses(t *testing.T) {
	template := "template/small/template.yml=language: small"
	for what, c := range map[string]struct {
		root, want string
	}{
		"a function that is not there":   {repository(t, "functions: {}"), "no function pump"},
		"a template that is not there":   {repository(t, smallStack, "functions/pump/handler.go"), "template.yml"},
		"a handler that is not there":    {repository(t, smallStack, template), "functions/pump"},
		"a copy that is not there":       {repository(t, smallStack, template, "functions/pump/handler.go", "go.mod"), "shared"},
		"a copy from outside":            {repository(t, strings.Replace(smallStack, "shared", "../shared", 1), template, "functions/pump/handler.go", "go.mod"), "../shared"},
		"a copy of the whole repository": {repository(t, strings.Replace(smallStack, "shared", ".", 1), template, "functions/pump/handler.go", "go.mod"), "configuration.copy"},
		"a stack that is no YAML":        {repository(t, "functions: ["), "stack.yml"},
	} {
		if _, err := images.Shrinkwrap(t.TempDir(), c.root, "pump"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A Dockerfile that says more than Compile does must not pass for built.
func TestCompileFollowsTheDockerfile(t *testing.T) {
	const first, last = "FROM golang AS build\nWORKDIR /src\n", "FROM scratch\nRUN exit 1\nCOPY --from=build /handler /handler\n"
	for what, c := range map[string]struct{ dockerfile, want string }{
		"what it says is done":            {first + "COPY . .\nRUN --mount=type=cache,target=/x echo made \\\n  > made\nRUN sort -o /handler made\n" + last, ""},
		"a line that fails":               {first + "COPY . .\nRUN true -o /handler .\nRUN echo no such thing; exit 3\n" + last, "no such thing"},
		"another program":                 {first + "COPY . .\nRUN go build -o /other .\n" + last, "makes no /handler"},
		"a part of the context":           {first + "COPY go.mod .\nRUN go build -o /handler .\n" + last, "copies more"},
		"no build stage":                  {"FROM scratch\nCOPY . .\nRUN go build -o /handler .\n", "no stage"},
		"a build stage that runs nothing": {first + "COPY . .\n" + last, "no stage"},
	} {
		context, out := t.TempDir(), filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(filepath.Join(context, "Dockerfile"), []byte(c.dockerfile), 0o644); err != nil {
			t.Fatal(err)
		}
		err := images.Compile(context, out)
		switch {
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v", what, err)
		case c.want == "":
			if b, rerr := os.ReadFile(out); err != nil || rerr != nil || string(b) != "made\n" {
				t.Errorf("%s: %q, %v, %v", what, b, err, rerr)
			}
		}
	}
}
