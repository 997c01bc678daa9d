package spool

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/castor-iot/castor/agent/internal/disk"
)

// nextEpoch begins an epoch that is after every one before: after the one noted on disk, after those of the messages
// found, and where the clock allows it the present time in milliseconds, so that a device which lost its disk (a fresh
// container, a new SD card) is still after itself.
func (s *Spool) nextEpoch() int64 {
	var noted int64
	path := filepath.Join(s.opt.Dir, epochFile)
	if s.opt.Dir != "" {
		b, err := os.ReadFile(path)
		if err == nil {
			noted, err = strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		}
		if err != nil && !os.IsNotExist(err) || noted < 0 || noted >= maxNumber {
			s.opt.Log.Warn("noted epoch cannot be read", "error", err)
			noted = 0
		}
	}
	next := max(noted, s.newest.Epoch) + 1
	if now := s.opt.Now().UnixMilli(); now > next && now < maxNumber {
		next = now
	}
	if s.opt.Dir == "" {
		return next
	}
	if err := disk.WriteFile(path, []byte(strconv.FormatInt(next, 10)+"\n")); err != nil {
		// A device whose disk is full still starts. Without a note and without a clock the next start could take the same
		// epoch and its messages would be taken for repetitions; a random distance makes that improbable.
		next += rand.Int64N(1 << 16)
		s.opt.Log.Error("epoch cannot be noted", "error", err)
	}
	return next
}
