package e2e

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/infra/castor/up"
	"github.com/castor-iot/castor/tests/cluster"
)

// A Process is a platform that runs as a program of its own, so that it can be killed.
type Process struct {
	*World
	cmd *exec.Cmd
}

var shownPassword = regexp.MustCompile(`password (\S+)`)

// NewProcess builds and starts the program on fixed ports, without this machine as a device.
func NewProcess(t *testing.T) *Process {
	t.Helper()
	p := &Process{World: &World{T: t, owners: map[string]bool{}, HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}}
	p.Config.Config = up.Config{Dir: t.TempDir(), Listen: cluster.FreePort(t), Provisioning: cluster.FreePort(t), Operational: cluster.FreePort(t)}
	p.URL = "http://" + p.Config.Listen
	p.Start()
	t.Cleanup(p.Kill)
	return p
}

// anyPort is an address for who does not ask which.
const anyPort = "127.0.0.1:0"

// Start starts the program and waits until it says that it is ready.
func (p *Process) Start() {
	p.Helper()
	file, err := cluster.Castor()
	p.must(err, "the program")
	p.cmd = exec.Command(file, "up", "--data", p.Config.Dir, "--listen", p.Config.Listen, "--provisioning", p.Config.Provisioning,
		"--operational", p.Config.Operational, "--provisioning-grpc", anyPort, "--operational-grpc", anyPort, "--provisioning-http", anyPort,
		"--operational-http", anyPort, "--no-agent")
	out, err := p.cmd.StdoutPipe()
	p.must(err, "its output")
	p.cmd.Stderr = os.Stderr
	p.must(p.cmd.Start(), "start")
	ready := make(chan string, 1)
	go func() {
		var said strings.Builder
		for lines := bufio.NewScanner(out); lines.Scan(); {
			fmt.Fprintln(&said, lines.Text())
			if strings.Contains(lines.Text(), "Ctrl-C stops") {
				ready <- said.String()
			}
		}
		close(ready)
	}()
	select {
	case said, ok := <-ready:
		if !ok {
			p.Fatalf("the program ended: %v", p.cmd.Wait())
		}
		if m := shownPassword.FindStringSubmatch(said); m != nil {
			p.password = m[1]
		}
	case <-time.After(30 * time.Second):
		p.Fatal("the program is not ready after 30 s")
	}
	p.Admin = p.Login("admin", p.password)
}

// Kill ends the program as a power cut would.
func (p *Process) Kill() {
	if p.cmd.ProcessState == nil {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	}
}
