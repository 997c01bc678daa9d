package wasm

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"
)

// preview1 is the name under which modules import WASI.
const preview1 = "wasi_snapshot_preview1"

// Error numbers of WASI preview 1.
const (
	success  = 0
	badf     = 8
	fault    = 21
	inval    = 28
	nosys    = 52
	overLong = 1 << 20 // bytes of one call, and what is looked at of them
)

// A call of WASI: its parameters (i = i32, I = i64; all but proc_exit return an errno) and what it does. A nil function has
// nothing behind it here: no file is open, no directory is there, no argument, no variable, no socket, no other thread. None of
// them keeps anything, so that a call of a driver cannot tell what others did.
type systemCall struct {
	parameters string
	do         func(h *host, m api.Memory, p []uint64) uint32
}

var systemCalls = map[string]systemCall{
	"args_get": {"ii", nothing}, "args_sizes_get": {"ii", none}, "environ_get": {"ii", nothing}, "environ_sizes_get": {"ii", none},
	"clock_res_get": {"ii", clockResolution}, "clock_time_get": {"iIi", clockTime},
	"random_get": {"ii", random}, "sched_yield": {"", nothing}, "poll_oneoff": {"iiii", poll},
	"fd_write": {"iiii", write}, "fd_read": {"iiii", readNothing}, "fd_fdstat_get": {"ii", describe}, "fd_fdstat_set_flags": {"ii", nil}, "fd_close": {"i", nil},

	"fd_advise": {"iIIi", nil}, "fd_allocate": {"iII", nil}, "fd_datasync": {"i", nil}, "fd_fdstat_set_rights": {"iII", nil}, "fd_filestat_get": {"ii", nil},
	"fd_filestat_set_size": {"iI", nil}, "fd_filestat_set_times": {"iIIi", nil}, "fd_pread": {"iiiIi", nil}, "fd_prestat_get": {"ii", nil},
	"fd_prestat_dir_name": {"iii", nil}, "fd_pwrite": {"iiiIi", nil}, "fd_readdir": {"iiiIi", nil}, "fd_renumber": {"ii", nil}, "fd_seek": {"iIii", nil},
	"fd_sync": {"i", nil}, "fd_tell": {"ii", nil}, "path_create_directory": {"iii", nil}, "path_filestat_get": {"iiiii", nil},
	"path_filestat_set_times": {"iiiiIIi", nil}, "path_link": {"iiiiiii", nil}, "path_open": {"iiiiiIIii", nil}, "path_readlink": {"iiiiii", nil},
	"path_remove_directory": {"iii", nil}, "path_rename": {"iiiiii", nil}, "path_symlink": {"iiiii", nil}, "path_unlink_file": {"iii", nil},
	"proc_raise": {"i", unsupported}, "sock_accept": {"iii", nil}, "sock_recv": {"iiiiii", nil}, "sock_send": {"iiiii", nil}, "sock_shutdown": {"ii", nil},
}

func wasi(ctx context.Context, r wazero.Runtime) error {
	b := r.NewHostModuleBuilder(preview1)
	for n, c := range systemCalls {
		var types []api.ValueType
		for _, p := range c.parameters {
			types = append(types, map[rune]api.ValueType{'i': api.ValueTypeI32, 'I': api.ValueTypeI64}[p])
		}
		do := func(ctx context.Context, m api.Module, stack []uint64) {
			errno := uint32(badf)
			if h := hostOf(ctx); c.do != nil {
				errno = c.do(h, m.Memory(), stack)
			}
			stack[0] = uint64(errno)
		}
		b = b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(do), types, []api.ValueType{api.ValueTypeI32}).Export(n)
	}
	exit := func(ctx context.Context, m api.Module, stack []uint64) {
		code := uint32(stack[0])
		_ = m.CloseWithExitCode(ctx, code)
		panic(sys.NewExitError(code))
	}
	b = b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(exit), []api.ValueType{api.ValueTypeI32}, nil).Export("proc_exit")
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("wasi: %w", err)
	}
	return nil
}

func nothing(*host, api.Memory, []uint64) uint32     { return success }
func unsupported(*host, api.Memory, []uint64) uint32 { return nosys }

func stored(ok bool) uint32 {
	if !ok {
		return fault
	}
	return success
}

// none tells that there are no arguments, or variables, and that they need no room.
func none(_ *host, m api.Memory, p []uint64) uint32 {
	return stored(m.WriteUint32Le(uint32(p[0]), 0) && m.WriteUint32Le(uint32(p[1]), 0))
}

func clockResolution(_ *host, m api.Memory, p []uint64) uint32 {
	return stored(m.WriteUint64Le(uint32(p[1]), uint64(time.Microsecond)))
}

// clockTime tells when the message was received, whenever it is asked. The other clocks begin with the call and go on by a
// microsecond each time, so that who waits for them does not wait for ever.
func clockTime(h *host, m api.Memory, p []uint64) uint32 {
	at := uint64(h.now.UnixNano())
	if uint32(p[0]) != 0 {
		h.passed += time.Microsecond
		at = uint64(time.Second + h.passed)
	}
	return stored(m.WriteUint64Le(uint32(p[2]), at))
}

func random(h *host, m api.Memory, p []uint64) uint32 {
	b, ok := m.Read(uint32(p[0]), uint32(p[1]))
	if !ok {
		return fault
	}
	if len(b) > overLong {
		return inval
	}
	_, _ = h.random.Read(b)
	return success
}

// write takes what is written to standard output and standard error into the log.
func write(h *host, m api.Memory, p []uint64) uint32 {
	if fd := uint32(p[0]); fd != 1 && fd != 2 {
		return badf
	}
	list, count, n := uint32(p[1]), uint32(p[2]), uint32(0)
	if count > 1024 {
		return inval
	}
	for i := range count {
		at, ok := m.ReadUint64Le(list + 8*i)
		if !ok {
			return fault
		}
		text, ok := m.Read(uint32(at), uint32(at>>32))
		if !ok {
			return fault
		}
		if n += uint32(len(text)); n > overLong {
			return inval
		}
		h.write(text)
	}
	return stored(m.WriteUint32Le(uint32(p[3]), n))
}

// readNothing tells that standard input has ended.
func readNothing(_ *host, m api.Memory, p []uint64) uint32 {
	if uint32(p[0]) != 0 {
		return badf
	}
	return stored(m.WriteUint32Le(uint32(p[3]), 0))
}

// describe tells that the standard streams are what a terminal is, so that what is written to them is not kept back.
func describe(_ *host, m api.Memory, p []uint64) uint32 {
	if uint32(p[0]) > 2 {
		return badf
	}
	var stat [24]byte
	stat[0] = 2                                        // a character device
	binary.LittleEndian.PutUint64(stat[8:], 1<<6|1<<1) // what may be done with it: fd_write, fd_read
	return stored(m.Write(uint32(p[1]), stat[:]))
}

// poll waits for nothing: what was to be waited for has come, or, of files, cannot be. Waiting takes no time but the forward
// clock's.
func poll(h *host, m api.Memory, p []uint64) uint32 {
	in, out, count := uint32(p[0]), uint32(p[1]), uint32(p[2])
	if count == 0 || count > 64 {
		return inval
	}
	var longest time.Duration
	for i := range count {
		s, ok := m.Read(in+48*i, 48)
		if !ok {
			return fault
		}
		var event [32]byte
		copy(event[:8], s[:8]) // what the module calls it
		event[10] = s[8]
		if s[8] == 0 {
			if relative := s[40]&1 == 0; relative {
				longest = max(longest, time.Duration(binary.LittleEndian.Uint64(s[24:])&(1<<50-1)))
			}
		} else {
			binary.LittleEndian.PutUint16(event[8:], badf)
		}
		if !m.Write(out+32*i, event[:]) {
			return fault
		}
	}
	h.passed += longest
	return stored(m.WriteUint32Le(uint32(p[3]), count))
}
