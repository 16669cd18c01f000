"""What was done at a customer, on its host."""

from django.urls import path

from tenants import views_activity as views

urlpatterns = [
    path("activity/", views.customer_activity, name="activity"),
    path("activity/activity.csv", views.customer_activity_csv, name="activity_csv"),
]
