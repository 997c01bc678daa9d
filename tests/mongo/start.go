package mongo

import (
	"bufio"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// A server ends when the standard input that it gets from this process does, and so with this process, however that ends.
var lifelines []*os.File

//go:embed pom.xml
var pom []byte

//go:embed Server.java
var launcher []byte

// startMongod runs a mongod of PATH in a directory that goes with it.
func startMongod(ctx context.Context) (Server, error) {
	path, err := exec.LookPath("mongod")
	if err != nil {
		return Server{}, err
	}
	dir, err := os.MkdirTemp("", "castor-mongod-")
	if err != nil {
		return Server{}, err
	}
	port, err := freePort()
	if err != nil {
		return Server{}, err
	}
	const script = `"$0" --quiet --bind_ip 127.0.0.1 --port "$1" --dbpath "$2" --logpath "$2/log" & read -r _; kill $!; wait; rm -rf "$2"`
	if _, err := start(exec.Command("sh", "-c", script, path, port, dir)); err != nil {
		return Server{}, err
	}
	return Server{Name: "mongod (" + path + ")", URL: "mongodb://127.0.0.1:" + port}, nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// startJava runs mongo-java-server, which keeps its data in memory.
func startJava(ctx context.Context) (Server, error) {
	for _, program := range []string{"mvn", "java"} {
		if _, err := exec.LookPath(program); err != nil {
			return Server{}, err
		}
	}
	dir, err := fetch(ctx)
	if err != nil {
		return Server{}, fmt.Errorf("fetching mongo-java-server: %w", err)
	}
	cmd := exec.Command("java", "-XX:TieredStopAtLevel=1", "-Dslf4j.internal.verbosity=ERROR", "-Xmx1g", "-cp", filepath.Join(dir, "lib", "*"), filepath.Join(dir, "Server.java"))
	out, err := start(cmd)
	if err != nil {
		return Server{}, err
	}
	port, err := out.ReadString('\n')
	if err != nil {
		return Server{}, fmt.Errorf("mongo-java-server did not start: %w", err)
	}
	return Server{Name: "mongo-java-server (a stand-in)", URL: "mongodb://127.0.0.1:" + strings.TrimSpace(port), StandIn: true}, nil
}

// start runs cmd for as long as this process lives and returns what it prints.
func start(cmd *exec.Cmd) (*bufio.Reader, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	lifelines = append(lifelines, w)
	cmd.Stdin, cmd.Stderr = r, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return bufio.NewReader(out), cmd.Start()
}

// fetch returns the directory with the server's jars, fetched once for this pom.xml. Tests of several packages run at the
// same time, so one fetches and the others wait.
func fetch(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(append(append([]byte{}, pom...), launcher...))
	dir := filepath.Join(cache, "castor", fmt.Sprintf("mongo-java-server-%x", sum[:6]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer lock.Close() // which unlocks it
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	done := filepath.Join(dir, "complete")
	if _, err := os.Stat(done); err == nil {
		return dir, nil
	}
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, "pom.xml"), pom, 0o644),
		os.WriteFile(filepath.Join(dir, "Server.java"), launcher, 0o644))
	if err != nil {
		return "", err
	}
	mvn := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(dir, "lib"))
	mvn.Dir = dir
	if out, err := mvn.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return dir, os.WriteFile(done, nil, 0o644)
}
