-- One database each: the three programs migrate their own.
CREATE DATABASE ledger;
CREATE DATABASE prefect;
CREATE DATABASE mlflow;
