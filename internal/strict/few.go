package strict

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

const (
	// maxBytes is the size in bytes of the largest file of YAML or TOML that is read. Rendered manifests of a large chart have 3 MB.
	maxBytes = 8 << 20
	// maxValues is how many values it may have. Each takes hundreds of bytes in memory, and may have two in the file.
	maxValues = 200_000
)

// Few returns an error for a file of YAML or TOML that is too large to be read, or whose values are too many. It counts what
// begins or follows a value, also where that is part of a text.
func Few(data []byte) error { return AtMost(data, maxValues) }

// AtMost is Few with a lower number of values, for what is kept in more memory than its text.
func AtMost(data []byte, most int) error {
	if len(data) > maxBytes {
		return errTooLarge()
	}
	n := 0
	for i, c := range data {
		switch c {
		case ',', ':', '[', '{', '=':
			n++
		case '-', '?':
			if i+1 < len(data) && data[i+1] <= ' ' {
				n++
			}
		}
	}
	if n > most {
		return fmt.Errorf("it has more than %d values, and no more are read", most)
	}
	return nil
}

// YAML decodes a file of YAML that [Few] takes.
func YAML(data []byte, into any) error {
	if err := Few(data); err != nil {
		return err
	}
	return yaml.Unmarshal(data, into)
}
