module curious

go 1.24
