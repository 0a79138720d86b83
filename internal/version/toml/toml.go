// Package toml decodes TOML for package version. Programs that have the rules of versions without reading them from a file do not
// carry it.
package toml

import (
	"errors"
	"fmt"

	"github.com/pelletier/go-toml/v2"
)

// Decode reads a document into a struct or map. Its errors say where.
func Decode(data []byte, into any) error {
	err := toml.Unmarshal(data, into)
	var decode *toml.DecodeError
	if !errors.As(err, &decode) {
		return err
	}
	row, column := decode.Position()
	return fmt.Errorf("line %d, column %d: %w", row, column, err)
}
