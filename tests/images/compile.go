package images

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Compile makes the program of a function's build context at out, by the RUN lines of the Dockerfile's build stage, for this
// machine. It moves the context's files as they do, so it works once. The error holds what the compiler said.
func Compile(context, out string) error {
	return compile(context, filepath.Join(context, "Dockerfile"), "/handler", out)
}

// compile runs the build stage of a Dockerfile in its context, with out in the place of what the Dockerfile calls made.
func compile(context, dockerfile, made, out string) error {
	b, err := os.ReadFile(dockerfile)
	if err != nil {
		return err
	}
	lines, err := runLines(string(b))
	if err != nil {
		return err
	}
	script := strings.Join(lines, "\n")
	if !strings.Contains(script, "-o "+made+" ") {
		return fmt.Errorf("the Dockerfile's build stage makes no %s", made)
	}
	script = strings.ReplaceAll(script, "-o "+made+" ", `-o "$OUT" `)
	if out, err = filepath.Abs(out); err != nil {
		return err
	}
	if strings.HasSuffix(made, "/") {
		out += "/"
	}
	sh := exec.Command("sh", "-ec", script)
	sh.Dir = context // the stage's WORKDIR, into which it copies all of the context
	sh.Env = append(os.Environ(), "OUT="+out, "TARGETOS="+runtime.GOOS, "TARGETARCH="+runtime.GOARCH, "GOWORK=off")
	if said, err := sh.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(context), err, said)
	}
	return nil
}

var flags = regexp.MustCompile(`^(--\S+\s+)+`)

// runLines are the commands of the stage named build. It returns an error if that stage does more than Compile can.
func runLines(dockerfile string) (lines []string, err error) {
	inside, copied := false, false
	for line := range strings.Lines(strings.ReplaceAll(dockerfile, "\\\n", " ")) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch instruction {
		case "FROM":
			inside = strings.HasSuffix(strings.TrimSpace(line), " AS build")
		case "COPY", "ADD":
			if copied = copied || inside; inside && rest != ". ." {
				return nil, errors.New("the build stage copies more than its context: " + line)
			}
		case "RUN":
			if inside {
				lines = append(lines, flags.ReplaceAllString(rest, ""))
			}
		}
	}
	if !copied || lines == nil {
		return nil, errors.New("the Dockerfile has no stage \"build\" that copies the context and runs something")
	}
	return lines, nil
}

// BuildAll makes the programs of all functions of stack.yml in dir, and returns where each is. Package files come from Go's
// build cache where it has them.
func BuildAll(dir string) (map[string]string, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	stack, err := ReadStack(root)
	if err != nil {
		return nil, err
	}
	contexts, err := os.MkdirTemp("", "castor-contexts-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(contexts)
	var mu sync.Mutex
	programs := map[string]string{}
	build := func(function string) error {
		context, err := Shrinkwrap(contexts, root, function)
		out := filepath.Join(dir, function)
		if err == nil {
			err = Compile(context, out)
		}
		mu.Lock()
		defer mu.Unlock()
		programs[function] = out
		return err
	}
	// The first alone, so that what all share is compiled once.
	functions := slices.Sorted(maps.Keys(stack.Functions))
	if len(functions) == 0 {
		return nil, errors.New("stack.yml has no functions")
	}
	if err := build(functions[0]); err != nil {
		return nil, err
	}
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, f := range functions[1:] {
		g.Go(func() error { return build(f) })
	}
	return programs, g.Wait()
}
