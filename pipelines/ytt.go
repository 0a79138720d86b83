package pipelines

import (
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"carvel.dev/ytt/pkg/cmd/template"
	"carvel.dev/ytt/pkg/cmd/ui"
	"carvel.dev/ytt/pkg/files"
)

// oneYTT lets one evaluation run at a time, since ytt writes to global variables.
var oneYTT sync.Mutex //nolint:gochecknoglobals // it guards ytt's own

// folder is what ytt is given as one -f: a folder's files by their paths in it.
type folder map[string][]byte

// under takes the files of a folder, by their paths in it.
func under(all map[string][]byte, name string) folder {
	in := folder{}
	for file, data := range all {
		if rest, ok := strings.CutPrefix(file, name+"/"); ok {
			in[rest] = data
		}
	}
	return in
}

// withValues are ytt's options for a file of data values.
func withValues(name string, data []byte) *template.Options {
	options := template.NewOptions()
	options.DataValuesFlags.FromFiles = []string{name}
	options.DataValuesFlags.ReadFilesFunc = func(string) ([]*files.File, error) {
		file, err := files.NewFileFromSource(files.NewBytesSource(name, data))
		return []*files.File{file}, err
	}
	return options
}

// runYTT is what ytt makes of the folders, in the order that its program takes them in.
func runYTT(options *template.Options, folders ...folder) ([]byte, error) {
	var all []*files.File
	for _, f := range folders {
		for _, name := range slices.Sorted(maps.Keys(f)) {
			file, err := files.NewFileFromSource(files.NewBytesSource(path.Clean(name), f[name]))
			if err != nil {
				return nil, fmt.Errorf("ytt: %w", err)
			}
			all = append(all, file)
		}
	}
	oneYTT.Lock()
	defer oneYTT.Unlock()
	return evaluated(options, files.NewSortedFiles(all))
}

// evaluated is what ytt makes of the files. ytt panics at some keys of values, which is an error like the others here.
func evaluated(options *template.Options, all []*files.File) (made []byte, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = &yttError{fmt.Errorf("panic: %v", fault)}
		}
	}()
	out := options.RunWithFiles(template.Input{Files: all}, ui.NewCustomWriterTTY(false, io.Discard, io.Discard))
	if out.Err != nil {
		return nil, &yttError{out.Err}
	}
	return out.DocSet.AsBytes()
}

// yttError is what ytt says of templates and values.
type yttError struct{ error }
