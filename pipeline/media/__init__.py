"""The only room that speaks FFmpeg and PyAV."""
