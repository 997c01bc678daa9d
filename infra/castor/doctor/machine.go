package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/castor-iot/castor/infra/castor/up"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/gofrs/flock"
	"github.com/shirou/gopsutil/v4/disk"
)

// running tells whether a castor up works on the data directory.
func (c *Config) running(_ context.Context, f *findings) {
	if _, err := os.Stat(filepath.Join(c.Data, "keys")); err != nil {
		f.bad(fmt.Sprintf("%s is no data directory of castor up: %v", c.Data, err), "name the right one with --data")
		return
	}
	name := filepath.Join(c.Data, "castor.lock")
	if _, err := os.Stat(name); err != nil {
		f.down = true
		f.bad("no castor up has run in "+c.Data, c.start())
		return
	}
	file := up.Config{Dir: c.Data}
	err := file.ReadFile(c.Data)
	if err == nil {
		err = file.Check()
	}
	if err != nil {
		f.bad(fmt.Sprintf("castor up refuses its settings: %v", err), "mend "+filepath.Join(c.Data, up.File))
	}
	lock := flock.New(name, flock.SetFlag(os.O_RDONLY))
	free, err := lock.TryRLock() // shared: another doctor does not disturb
	if err != nil {
		f.warn(fmt.Sprintf("whether a castor up runs in %s cannot be seen: %v", c.Data, err), "run castor doctor as the user that runs castor up")
		return
	}
	if free {
		_ = lock.Unlock()
		f.down = true
		f.bad("no castor up runs in "+c.Data, c.start())
		return
	}
	pid, _ := os.ReadFile(filepath.Join(c.Data, "castor.pid"))
	f.ok(fmt.Sprintf("castor up runs in %s (process %s)", c.Data, strings.TrimSpace(string(pid))))
}

// What a disk should have left.
const (
	gib        = 1 << 30
	busRoom    = 3 * gib // the streams' bounds together, and what is written beside them
	littleRoom = gib
)

// disk tells how much room the data directory has.
func (c *Config) disk(ctx context.Context, f *findings) {
	u, err := disk.UsageWithContext(ctx, c.Data)
	if err != nil {
		f.bad(fmt.Sprintf("the room of %s is not known: %v", c.Data, err), "")
		return
	}
	judgeDisk(f, c.Data, u.Free, u.Total)
}

func judgeDisk(f *findings, dir string, free, total uint64) {
	fact := fmt.Sprintf("%s has %.1f GiB free of %.1f (%d %%)", dir, float64(free)/gib, float64(total)/gib, free*100/max(total, 1))
	remedy := "make room, or move the data directory to a larger disk: du -xh --max-depth=2 " + dir
	switch {
	case free < littleRoom || free < total/50:
		f.bad(fact, remedy)
	case free < busRoom:
		f.warn(fact+"; the bus may need 3 GiB", remedy)
	case free < total/10:
		f.warn(fact, remedy)
	default:
		f.ok(fact)
	}
}

// needed are the secrets that every platform has.
var needed = []string{platform.SecretParts, platform.SecretSeal, platform.SecretVerify, platform.SecretCACert, platform.SecretCAKey}

// secrets looks at the files: there, not empty, readable for us and for nobody else.
func (c *Config) secrets(_ context.Context, f *findings) {
	if c.Data != "" {
		c.folder(f, filepath.Join(c.Data, "keys"), needed)
		c.folder(f, filepath.Join(c.Data, "secrets"), nil)
	}
	if c.Secrets != "" {
		need := c.Need
		if need == nil {
			need = needed
		}
		c.folder(f, c.Secrets, need)
	}
}

func (c *Config) folder(f *findings, dir string, need []string) {
	before := len(f.all)
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		remedy := "castor init makes one: castor init " + dir + " --host HOST"
		if c.Data != "" && filepath.Dir(dir) == filepath.Clean(c.Data) {
			remedy = "put it back from your backup"
		}
		f.bad("there is no folder of secrets at "+dir, remedy)
		return
	case err != nil:
		f.bad(fmt.Sprintf("the secrets in %s cannot be listed: %v", dir, err), "run castor doctor as the user that the platform runs as")
		return
	}
	open := false // others can get at the files
	if info, err := os.Stat(dir); err == nil {
		open = info.Mode().Perm()&0o011 != 0
		if info.Mode().Perm()&0o022 != 0 {
			f.bad(fmt.Sprintf("others may write to %s (mode %o)", dir, info.Mode().Perm()), "chmod 700 "+dir)
		}
	}
	there := map[string]bool{}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		info, err := os.Stat(name) // through links: Kubernetes mounts secrets so
		if err != nil || info.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		there[e.Name()] = true
		switch mode := info.Mode().Perm(); {
		case mode&0o022 != 0 && open:
			f.bad(fmt.Sprintf("others may change the secret %s (mode %o)", name, mode), "chmod 600 "+name)
		case mode&0o044 != 0 && open:
			f.warn(fmt.Sprintf("others may read the secret %s (mode %o)", name, mode), "chmod 600 "+name)
		}
		b, err := os.ReadFile(name)
		switch {
		case err != nil:
			f.bad(fmt.Sprintf("the secret %s cannot be read: %v", name, rootOf(err)), "sudo chown $(id -u) "+name+" && chmod 600 "+name)
		case len(strings.TrimSpace(string(b))) == 0:
			f.bad("the secret "+name+" is empty", "put it back from your backup")
		}
	}
	for _, name := range need {
		if !there[name] {
			remedy := "put it back from your backup"
			if dir == c.Secrets {
				remedy += "; on a new platform castor init makes it"
			}
			f.bad(fmt.Sprintf("the secret %s is missing", filepath.Join(dir, name)), remedy)
		}
	}
	if there[platform.SecretCACert] && there[platform.SecretCAKey] {
		files := platform.SecretFiles(dir)
		cert, err1 := files(platform.SecretCACert)
		key, err2 := files(platform.SecretCAKey)
		if err1 == nil && err2 == nil {
			if _, err := pki.LoadCA(cert, key); err != nil {
				f.bad(fmt.Sprintf("in %s: %v", dir, err), "put both files of the CA back from the same backup")
			}
		}
	}
	if len(f.all) == before && len(there) > 0 {
		f.ok(fmt.Sprintf("%d secrets in %s are for the platform's eyes only", len(there), dir))
	}
}
