package sandbox

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/driver"
)

// When the kernel runs out of memory, a worker is ended before the platform.
func TestWorkersGoFirstWhenMemoryRunsOut(t *testing.T) {
	p := pool(t, Config{Workers: 1})
	r, err := script(p, "function decodeUplink() { return {data: {n: 1}}; }").Run(context.Background(), []driver.Call{{Op: driver.DecodeUplink}})
	if err != nil || !r[0].OK() {
		t.Fatal(r, err)
	}
	p.mu.Lock()
	pid := p.serving[0].cmd.Process.Pid
	p.mu.Unlock()
	score, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
	if err != nil || strings.TrimSpace(string(score)) != "1000" {
		t.Errorf("the worker's oom_score_adj is %q, %v", score, err)
	}
}
