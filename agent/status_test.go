package agent_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/agent/internal/gatewaytest"
)

func TestStatus(t *testing.T) {
	p := gatewaytest.New(t)
	dir := t.TempDir()
	if _, err := agent.ReadStatus(filepath.Join(dir, "nothing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("status of no directory: %v", err)
	}
	if st, err := agent.ReadStatus(dir); err != nil || st.Provisioned || st.Running {
		t.Errorf("status of an empty directory: %+v, %v", st, err)
	}
	p.Hold = true
	a := start(t, p, dir, nil)
	a.reach(agent.Confirmed)
	a.measure(0, 3)
	st, err := agent.ReadStatus(dir)
	if err != nil || !st.Running || !st.Confirmed || st.Ref != "dev-p-7" || st.Phase.Phase != agent.Confirmed || st.Spool.Pending != 3 {
		t.Errorf("status of a running agent: %+v, %v", st, err)
	}
	a.stop()
	if st, err := agent.ReadStatus(dir); err != nil || st.Running || st.Spool.Pending != 3 {
		t.Errorf("status when it has stopped: %+v, %v", st, err)
	}
}
