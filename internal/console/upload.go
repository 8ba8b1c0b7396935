package console

import (
	"errors"
	"io"
	"net/http"
	"time"

	"payonce/internal/csvfile"
)

const (
	// uploadTimeout is how long a browser may take to send a file.
	uploadTimeout = 2 * time.Minute
	// formMemory is how much of an upload is kept in memory: all of what is no file.
	formMemory = 1 << 20
)

// acceptUpload bounds a request that has a file, and gives it the time to be sent and then worked on.
func acceptUpload(w http.ResponseWriter, r *http.Request, work time.Duration) {
	stream := http.NewResponseController(w)
	_ = stream.SetReadDeadline(time.Now().Add(uploadTimeout)) // where they cannot be set the server's own hold
	_ = stream.SetWriteDeadline(time.Now().Add(uploadTimeout + work + liveWrite))
	r.Body = http.MaxBytesReader(w, r.Body, csvfile.MaxBytes+formMemory)
}

// uploaded reads the file of a form, whose name has no folder. The caller removes what r.MultipartForm keeps.
func uploaded(r *http.Request) (name string, text []byte, err error) {
	if err := r.ParseMultipartForm(formMemory); err != nil {
		return "", nil, err
	}
	file, header, err := r.FormFile("file")
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = file.Close() }()
	if header.Size > csvfile.MaxBytes {
		return "", nil, errors.New("the file is too large")
	}
	text, err = io.ReadAll(file)
	return header.Filename, text, err
}
