package functiontest

import "github.com/cockroachdb/pebble/v2/vfs"

// unsynced is the disk without waiting for it: functions' tests end processes, never the machine, and a file that is not synced
// outlives those. That the store syncs what it has promised is for its own tests.
type unsynced struct{ vfs.FS }

func (u unsynced) Create(name string, of vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := u.FS.Create(name, of)
	return file{f}, err
}

func (u unsynced) OpenReadWrite(name string, of vfs.DiskWriteCategory, options ...vfs.OpenOption) (vfs.File, error) {
	f, err := u.FS.OpenReadWrite(name, of, options...)
	return file{f}, err
}

func (u unsynced) ReuseForWrite(before, name string, of vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := u.FS.ReuseForWrite(before, name, of)
	return file{f}, err
}

func (u unsynced) OpenDir(name string) (vfs.File, error) {
	f, err := u.FS.OpenDir(name)
	return file{f}, err
}

type file struct{ vfs.File }

func (file) Sync() error                { return nil }
func (file) SyncData() error            { return nil }
func (file) SyncTo(int64) (bool, error) { return true, nil }
