// Command sample reports what a program sees from inside its image.
package main

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"time"
	_ "time/tzdata"
)

type report struct {
	Verb    string   `json:"verb"`
	Args    []string `json:"args"`
	Files   []string `json:"files"`
	Roots   bool     `json:"roots"`
	User    string   `json:"user"`
	Temp    bool     `json:"temp"`
	Zone    bool     `json:"zone"`
	Message string   `json:"message,omitempty"`
}

func main() {
	seen := report{Verb: filepath.Base(os.Args[0]), Args: os.Args[1:]}
	seen.Files, _ = filepath.Glob("/*")
	if pool, err := x509.SystemCertPool(); err == nil {
		seen.Roots = !pool.Equal(x509.NewCertPool())
	}
	if me, err := user.Current(); err == nil {
		seen.User = me.Username
	}
	if dir, err := os.MkdirTemp("", "sample"); err == nil {
		seen.Temp = true
		_ = os.Remove(dir)
	}
	_, err := time.LoadLocation("Europe/Zurich")
	seen.Zone = err == nil
	if len(os.Args) > 1 {
		text, err := os.ReadFile(filepath.Join(os.Args[1], "message"))
		seen.Message = string(text)
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Args[1], "answer"), []byte("from the image"), 0o600)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	_ = json.NewEncoder(os.Stdout).Encode(seen)
}
