package agent

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/castor-iot/castor/agent/internal/disk"
)

// What is in a device's directory.
const (
	keyName    = "key.pem"     // the private key
	bundleName = "bundle.json" // what provisioning gave, and the key for its certificate
	nextName   = "next.json"   // key and certificate that will replace them
	phaseName  = "phase.json"  // for status
	lockName   = "lock"
	spoolName  = "spool"
)

// A vault keeps a device's few files, in a directory or in memory.
type vault struct {
	dir string // "" = memory

	mu  sync.Mutex
	mem map[string][]byte
}

// lock makes the directory and takes its lock.
func (v *vault) lock() (io.Closer, error) {
	if err := os.MkdirAll(v.dir, 0o700); err != nil {
		return nil, err
	}
	return disk.Lock(filepath.Join(v.dir, lockName))
}

// read returns os.ErrNotExist if nothing was kept by that name.
func (v *vault) read(name string) ([]byte, error) {
	if v.dir != "" {
		return os.ReadFile(filepath.Join(v.dir, name))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if b, ok := v.mem[name]; ok {
		return b, nil
	}
	return nil, os.ErrNotExist
}

// keep is durable when it returns.
func (v *vault) keep(name string, b []byte) error {
	if v.dir != "" {
		return disk.WriteFile(filepath.Join(v.dir, name), b)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.mem == nil {
		v.mem = map[string][]byte{}
	}
	v.mem[name] = b
	return nil
}

// drop removes what was kept by that name, if anything was.
func (v *vault) drop(name string) error {
	if v.dir == "" {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.mem, name)
		return nil
	}
	if err := os.Remove(filepath.Join(v.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return disk.SyncDir(v.dir)
}

// note writes what may be lost.
func (v *vault) note(name string, b []byte) error {
	if v.dir == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(v.dir, name), b, 0o600)
}
