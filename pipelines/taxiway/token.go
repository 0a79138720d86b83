package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/secret"
	"github.com/taxiway-ci/taxiway/internal/strict"
)

// errTokenInImage says that an image has the token that its build was given.
var errTokenInImage = errors.New("the token is in the image")

func tokenCommand() *cobra.Command {
	var f tokenFlags
	command := &cobra.Command{
		Use:   "token",
		Short: "Give the build of an image a short-lived token of a GitHub App",
		Long: "Give the build of an image a short-lived token of a GitHub App, which may read the contents of one repository.\n" +
			"The file that it writes has the build arguments of another file and the token as one more. With --image it ends\n" +
			"the token, and fails if the image has it. If the build left no image or there is no token, it says so.\n" +
			"The environment says which App: REPOSITORY (owner/name), APP_ID,\n" +
			"APP_PRIVATE_KEY, and where needed APP_INSTALLATION_ID, API_URL and CA_CERT.",
		Example: "  taxiway token --name GH_TOKEN --arguments build/args --file token/args\n" +
			"  taxiway token --name GH_TOKEN --file token/args --image image/image.tar",
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.file == "" {
				return usagef("token: name the file that gets the build arguments: --file FILE")
			}
			access := forge.Access{
				Repository: os.Getenv("REPOSITORY"), APIURL: os.Getenv("API_URL"), AppID: os.Getenv("APP_ID"), AppPrivateKey: os.Getenv("APP_PRIVATE_KEY"),
				AppInstallationID: os.Getenv("APP_INSTALLATION_ID"), CACert: os.Getenv("CA_CERT"),
			}
			secret.Register(cmd.Context(), access.AppPrivateKey)
			if f.image != "" {
				return f.end(cmd.Context(), access, cmd.ErrOrStderr())
			}
			return f.give(cmd.Context(), access)
		},
	}
	flags := command.Flags()
	flags.StringVar(&f.name, "name", "GH_TOKEN", "name of the build argument")
	flags.StringVar(&f.arguments, "arguments", "", "file with the other build arguments, NAME=VALUE in each line")
	flags.StringVar(&f.file, "file", "", "file that gets all of them")
	flags.StringVar(&f.image, "image", "", "tarball of the image that was built: end the token, which --file has")
	return command
}

type tokenFlags struct{ name, arguments, file, image string }

// give writes the file.
func (f tokenFlags) give(ctx context.Context, access forge.Access) error {
	var text []byte
	if f.arguments != "" {
		var err error
		if text, err = strict.ReadFile(f.arguments); err != nil {
			return fmt.Errorf("token: %w", err)
		}
	}
	token, err := access.ReadToken(ctx)
	if err != nil {
		return fmt.Errorf("token: ask for one that reads %s: %w", access.Repository, err)
	}
	if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
		text = append(text, '\n')
	}
	if err := os.WriteFile(f.file, fmt.Appendf(text, "%s=%s\n", f.name, token), 0o600); err != nil {
		return fmt.Errorf("token: %w", err)
	}
	return nil
}

// end looks for the token in the image and revokes it, whatever the image has. A build that was stopped may have left no image, or
// have had no token.
func (f tokenFlags) end(ctx context.Context, access forge.Access, say io.Writer) error {
	token, err := f.given()
	secret.Register(ctx, token)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = fmt.Fprintf(say, "token: there is no file %s, so there is no token to revoke\n", f.file)
		return err
	}
	if err != nil {
		return err
	}
	found := f.search(token)
	if errors.Is(found, fs.ErrNotExist) {
		_, found = fmt.Fprintf(say, "token: there is no image %s to search\n", f.image)
	}
	err = access.Revoke(ctx, token)
	if errors.Is(err, forge.ErrAuth) {
		_, err = fmt.Fprintf(say, "token: the one that reads %s had ended already\n", access.Repository)
	}
	if err != nil {
		return errors.Join(found, fmt.Errorf("token: revoke the one that reads %s: %w; it ends by itself within an hour", access.Repository, err))
	}
	return found
}

// given is the token that the file has.
func (f tokenFlags) given() (string, error) {
	text, err := strict.ReadFile(f.file)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if token, ok := strings.CutPrefix(strings.TrimSpace(line), f.name+"="); ok && token != "" {
			return token, nil
		}
	}
	return "", fmt.Errorf("token: %s has no line %s=TOKEN", f.file, f.name)
}

// search returns an error if the image has the token: in its configuration, its history or a file of a layer.
func (f tokenFlags) search(token string) error {
	file, err := os.Open(f.image)
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	defer func() { _ = file.Close() }() // it is read only
	image := tar.NewReader(file)
	for {
		header, err := image.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("token: read the image %s: %w", f.image, err)
		}
		has, err := contains(image, []byte(token))
		if err != nil {
			return fmt.Errorf("token: read %s of the image %s: %w", header.Name, f.image, err)
		}
		if has {
			return fmt.Errorf("token: %s has the value of the build argument %s, in %s: %w; use it only in a stage that is not the last one, and declare it with ARG there alone",
				f.image, f.name, header.Name, errTokenInImage)
		}
	}
}

// searched is how much of a file is looked at together, in bytes. A token is far shorter.
const searched = 1 << 20

// contains reports whether a reader has the text, compressed by gzip or not.
func contains(r io.Reader, text []byte) (bool, error) {
	buffered := bufio.NewReader(r)
	if magic, err := buffered.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b { //nolint:mnd // of gzip
		unpacked, err := gzip.NewReader(buffered)
		if err != nil {
			return false, err
		}
		return scan(unpacked, text)
	}
	return scan(buffered, text)
}

func scan(r io.Reader, text []byte) (bool, error) {
	window := make([]byte, 0, searched+len(text))
	for {
		n, err := io.ReadFull(r, window[len(window):cap(window)])
		window = window[:len(window)+n]
		if bytes.Contains(window, text) {
			return true, nil
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		window = append(window[:0], window[len(window)-len(text)+1:]...)
	}
}
