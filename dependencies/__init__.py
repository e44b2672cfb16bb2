"""The packages of the environment: their sizes, their licences, and the files of them that nothing reads."""
